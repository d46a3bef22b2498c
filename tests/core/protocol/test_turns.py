"""Rule 26, too: who waits for a slot has it soon, or is lent; what was lent comes back in turn."""

from cronstream.core.protocol.turns import Turns
from tests.builders import at


def _turns(ended: int = 0, slots: int = 20) -> Turns:
    """Of a worker of which so many attempts have ended within each of two half seconds."""
    turns = Turns(slots)
    turns.look(-0.5, 0)
    for half in (0.0, 0.5):
        for _ in range(ended):
            turns.note_end()
        turns.look(half, 0)
    return turns


def _after_one_has_come_back() -> Turns:
    """Of a worker that claimed again what nobody else had, though others claimed more of it."""
    turns = _turns(3)
    turns.note_line([at(1)], at(9))
    turns.comes(at(0))
    turns.look(0.6, 3)
    return turns


def test_as_many_have_a_slot_soon_as_have_come_free_in_each_of_the_last_half_seconds() -> None:
    turns = _turns(7)
    assert turns.soon == 7
    turns.look(0.75, 0)
    turns.look(1.0, 0)

    assert turns.soon == 0


def test_what_ends_together_says_nothing_of_what_comes_free_soon() -> None:
    turns = _turns()
    for _ in range(40):
        turns.note_end()
    turns.look(1.0, 0)
    assert turns.soon == 0
    turns.look(1.5, 0)

    assert turns.soon == 0


def test_what_was_lent_has_its_turn_once_it_would_be_among_the_next() -> None:
    turns = _turns(2)
    turns.note_line([at(1), at(2), at(3), at(4)], at(9))

    assert [turns.comes(at(since)) for since in (5, 3, 2)] == [False, False, True]


def test_no_more_have_their_turn_than_slots_come_free() -> None:
    turns = _turns(2)
    turns.note_line([at(1), at(2), at(3)], at(9))

    assert [turns.comes(at(0)) for _ in range(3)] == [True, True, False]


def test_what_was_lent_has_its_turn_where_fewer_wait_than_slots_come_free() -> None:
    turns = _turns(3)
    turns.note_line([at(1)], at(9))

    assert [turns.comes(at(8)) for _ in range(3)] == [True, True, False]


def test_nothing_has_its_turn_while_commands_run_for_long() -> None:
    turns = _turns()
    turns.note_line([], at(9))

    assert not turns.comes(at(0))


def test_nobody_has_a_turn_until_the_line_is_known() -> None:
    turns = _turns(2)
    turns.note_line([], at(9))
    turns.look(0.6, 0)

    assert not turns.comes(at(0))


def test_twice_as_many_may_be_lent_once_others_have_claimed_some() -> None:
    turns = _turns()
    turns.look(0.6, 3)

    assert turns.may_lend(0.6) == 40


def test_nothing_is_lent_for_a_moment_and_then_half_as_much_when_it_has_come_back() -> None:
    turns = _after_one_has_come_back()

    assert turns.may_lend(1.0) == 0
    assert turns.may_lend(1.2) == 10


def test_what_came_back_counts_no_more_once_a_slot_was_free() -> None:
    turns = _after_one_has_come_back()
    turns.nobody_waits()

    assert turns.may_lend(2.0) == 20


def test_one_at_least_is_lent_however_often_it_comes_back() -> None:
    turns = _turns(3)
    for step in range(9):
        turns.note_end()
        turns.note_line([], at(9))
        turns.comes(at(0))
        turns.look(0.6 + step / 10, 0)

    assert turns.may_lend(9.0) == 1
