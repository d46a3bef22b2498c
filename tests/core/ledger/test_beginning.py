"""A log that has lost its beginning, and a message that had come twice: what had begun is over."""

from collections.abc import Callable, Iterator
from datetime import datetime

import orjson
import pytest

from cronstream.core.ledger.beginning import DOUBT_DAYS
from cronstream.core.ledger.book import DAY
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import from_row, to_row
from cronstream.core.ledger.state import FORGOTTEN, Effect
from cronstream.core.wire.entries import (
    Cancelled,
    Entry,
    Finished,
    Forwarded,
    Level,
    Settled,
    Skipped,
    Started,
    Withdrawal,
)
from cronstream.core.wire.enumerations import Delivery, Outcome, Overlap, SkipReason, Verdict
from cronstream.core.wire.runs import Run
from tests.builders import a_run, at
from tests.ledger_builders import Told, beat, due, finished, released, started

_ONCE = due(30, delivery=Delivery.AT_MOST_ONCE)
_TWICE = due(30, max_attempts=3)
_ALONE = due(30, overlap=Overlap.SKIP)
_ASKED = a_run(revision=None, number=1, as_of=at(0), scheduled_at=at(30))
_LATER = due(30, attempt=2, attempts_left=2, max_attempts=3, as_of=at(0))


class Spaced(Told):
    """A ledger of level 2 whose log has a heartbeat behind each message, which may be replaced."""

    def __init__(self, *, retry: bool) -> None:
        super().__init__(retry=retry, revision=False)
        self.tell(Level(level=2), seconds=-600)
        if not retry:
            word = Withdrawal(job="backup", revision=1, effective_from=at(-600))
            self.tell(word, seconds=-600)

    def tell(self, *entries: Entry, seconds: float = 0.0) -> int:
        offset = super().tell(*entries, seconds=seconds)
        super().tell(beat("w9", offset), seconds=seconds)
        return offset


def succeeds(told: Told, run: Run) -> None:
    told.finish(run)


def is_lost_and_succeeds(told: Told, run: Run) -> None:
    told.start(run, "w1")
    told.lose("w1")
    told.finish(run)


def is_given_back_and_succeeds(told: Told, run: Run) -> None:
    claim = told.claim(run, "w1")
    told.tell(released(run, claim))
    told.claim(run, "w2")
    told.lose("w2")
    told.finish(run)


def fails_and_is_discarded(told: Told, run: Run) -> None:
    told.finish(run, Outcome.FAILED)
    told.forward(run)


def is_discarded_where_it_was_lost(told: Told, run: Run) -> None:
    told.start(run)
    told.lose()
    told.forward(run)


def comes_to_the_retry_log(told: Told, run: Run) -> None:
    told.finish(run, Outcome.FAILED)
    told.forward(run)
    told.tell(Settled(run=run.id, verdict=Verdict.SUCCEEDED, attempt=2))


def is_skipped_for_another(told: Told, run: Run) -> None:
    told.tell(Skipped(run=run.id, version=told.live.version, reason=SkipReason.OVERLAP))


def is_replaced(told: Told, run: Run) -> None:
    claim = told.start(run)
    told.tell(Cancelled(run=run.id, version=told.live.version))
    told.tell(finished(run, claim, Outcome.FAILED))


def is_settled_there(told: Told, run: Run) -> None:
    told.finish(run)
    told.forward(run)


def fails_there_and_is_made_again(told: Told, run: Run) -> None:
    told.finish(run, Outcome.FAILED)
    following = run.derive(attempt=3, attempts_left=1, as_of=at(5))
    told.tell(following, seconds=5)
    told.finish(following)
    told.forward(following)


_STORIES = [
    (due(30), succeeds),
    (_ONCE, succeeds),
    (_ASKED, succeeds),
    (due(30), is_lost_and_succeeds),
    (due(30), is_given_back_and_succeeds),
    (due(30), fails_and_is_discarded),
    (_ONCE, is_discarded_where_it_was_lost),
    (_TWICE, comes_to_the_retry_log),
    (_ALONE, is_skipped_for_another),
    (_ALONE, is_replaced),
    (_LATER, is_settled_there),
    (_LATER, fails_there_and_is_made_again),
]
Story = Callable[[Told, Run], None]
Message = tuple[int, datetime, list[Entry]]


def doubled(run: Run, story: Story) -> Iterator[tuple[int, int, list[Message]]]:
    """Yield the log of a story, its run come twice: where each is, and all messages."""
    told = Spaced(retry=run.attempt > 1)
    first = told.tell(run)
    story(told, run)
    assert not told.ledger.book.live
    for second in range(first + 1, len(told.messages), 2):
        messages = list(told.messages)
        messages[second] = (second, messages[second][1], [run])
        yield first, second, messages


def fold(messages: list[Message], *, retry: bool, through_rows: bool = False) -> Ledger:
    """Fold what is left of a log."""
    ledger = Ledger(retry=retry)
    ledger.book.assumed = 2
    for message in messages:
        ledger.fold(*message)
        if through_rows:
            ledger = from_row(orjson.loads(orjson.dumps(to_row(ledger, 0))))
    return ledger


def is_shown(left: list[Message]) -> bool:
    """Whether what is left shows that the run had begun: nobody goes by the double."""
    tells = (Started, Finished, Forwarded, Skipped, Cancelled, Settled)
    return any(isinstance(entry, tells) for _, _, entries in left for entry in entries)


@pytest.mark.parametrize(("run", "story"), _STORIES, ids=lambda one: getattr(one, "__name__", ""))
def test_what_the_log_still_shows_as_begun_is_not_made_again(run: Run, story: Story) -> None:
    shown = 0
    for first, second, messages in doubled(run, story):
        retry = run.attempt > 1
        assert not fold(messages, retry=retry).book.live
        for begins in range(first + 1, second + 1):
            left = messages[begins:]
            ledger = fold(left, retry=retry)
            assert fold(left, retry=retry, through_rows=True).book.live == ledger.book.live
            if is_shown(left):
                shown += 1
                assert not ledger.book.live, (begins, second, left)
    assert shown


def days_pass(ledger: Ledger, days: int, *, each_s: float = DAY.total_seconds()) -> None:
    for day in range(ledger.book.day, ledger.book.day + days):
        ledger.fold(ledger.book.next_offset, at(day * each_s), [beat("w9", 10_000 + day)])


def from_the_middle(*entries: Entry, retry: bool = False, level: int = 2) -> Told:
    """Fold what is left of a log that began at offset 500, a second ago."""
    told = Told(retry=retry, revision=False)
    told.ledger.book.assumed = level
    told.ledger.fold(500, at(-1), [beat("w9", 1)])
    for entry in entries:
        told.tell(entry)
    return told


@pytest.mark.parametrize("retry", [False, True])
def test_what_nobody_has_taken_up_for_a_week_is_not_made_but_told(retry: bool) -> None:
    """Its double is all that is left of it; it was over before the beginning."""
    run = a_run(attempt=2, as_of=at(-2)) if retry else due(0)
    told = from_the_middle(run, retry=retry)
    days_pass(told.ledger, DOUBT_DAYS - 1)
    assert list(told.ledger.book.live) == [run.id]

    days_pass(told.ledger, 1)
    assert [(one.run, one.why) for one in told.ledger.book.turned_away] == [(run.id, FORGOTTEN)]
    if retry:
        assert told.live.effect is Effect.SKIP
        assert told.live.reason == SkipReason.MISSED
    else:
        assert told.verdicts == ["skipped"]
        assert not told.ledger.book.live
    assert told.ledger.book.beginning is None


def test_what_came_surely_after_the_beginning_waits_for_as_long_as_it_has_to() -> None:
    surely = due(200), a_run(revision=None, number=1, as_of=at(0))
    told = from_the_middle(*surely)
    days_pass(told.ledger, DOUBT_DAYS + 1)

    assert len(told.ledger.book.live) == 2


def test_so_does_what_somebody_holds_and_what_is_not_yet_due() -> None:
    told = from_the_middle(due(0))
    told.claim(due(0))
    days_pass(told.ledger, DOUBT_DAYS + 1)
    assert [live.holder for live in told.ledger.book.live.values()] == ["w1"]

    in_two_weeks = a_run(attempt=2, as_of=at(-2), not_before=at(14 * DAY.total_seconds()))
    told = from_the_middle(in_two_weeks, retry=True)
    days_pass(told.ledger, DOUBT_DAYS + 1)
    assert list(told.ledger.book.live) == [in_two_weeks.id]


def test_what_has_waited_for_another_attempt_waits_on() -> None:
    told = from_the_middle(due(0))
    told.start(due(0))
    told.lose()
    days_pass(told.ledger, DOUBT_DAYS + 1)

    assert told.live.run.attempt == 2


def test_a_clock_that_leaps_by_weeks_makes_nothing_forgotten() -> None:
    told = from_the_middle(due(0))
    days_pass(told.ledger, 2, each_s=30 * DAY.total_seconds())

    assert list(told.ledger.book.live) == [due(0).id]


def test_a_claim_that_names_what_is_not_known_has_not_begun() -> None:
    told = from_the_middle(due(0))
    told.claim(due(0), version=400)
    told.tell(released(due(0), 400))

    assert told.ledger.book.refused == {"claim": 1, "released": 1}
    assert list(told.ledger.book.live) == [due(0).id]


def test_what_was_given_back_before_its_double_comes_has_not_begun() -> None:
    told = from_the_middle(started(due(0), 400), released(due(0), 400), due(0))

    assert list(told.ledger.book.live) == [due(0).id]


def test_what_had_begun_is_known_by_its_id_whatever_it_is_asked_for() -> None:
    asked = a_run(revision=None, number=1, as_of=at(-2))
    told = from_the_middle(started(asked, 400), started(due(0), 400), asked, due(0))
    assert not told.ledger.book.live
    assert told.ledger.book.refused["duplicate"] == 2

    later = a_run(attempt=2, as_of=at(-2))
    told = from_the_middle(finished(later, 400), later, retry=True)
    assert not told.ledger.book.live


def test_the_attempt_that_follows_one_from_before_the_beginning_is_made() -> None:
    before, following = a_run(attempt=2, as_of=at(-2)), a_run(attempt=3, as_of=at(0))
    told = from_the_middle(finished(before, 400), following, finished(before, 400), retry=True)

    assert told.live.run.attempt == 3


def test_who_speaks_late_of_what_came_after_the_beginning_shows_nothing() -> None:
    told = from_the_middle(due(0), due(200))
    claim = told.start(due(0), "w1")
    told.lose("w1")
    told.tell(started(due(0), claim), finished(due(200), 400))
    told.tell(Forwarded(run=due(0).id, version=claim))
    told.tell(finished(due(9000), 600), seconds=2 * 3600)

    assert list(told.ledger.book.live) == [due(0).id, due(200).id]
    assert told.ledger.book.beginning is not None
    assert told.ledger.book.beginning.begun == set()


def test_what_gave_way_to_an_edit_had_not_begun_whoever_speaks_late_of_it() -> None:
    run = due(0, delivery=Delivery.AT_MOST_ONCE)
    told = from_the_middle(run)
    claim = told.start(run)
    told.edit(2, seconds=-60)
    told.tell(released(run, claim))
    assert told.verdicts == ["withdrawn"]

    told.tell(started(run, claim))
    told.tell(due(0, revision=2))
    told.tell(started(run, claim), finished(run, 400))
    again = from_row(orjson.loads(orjson.dumps(to_row(told.ledger, 0))))
    assert [live.run.revision for live in again.book.live.values()] == [2]
    assert again.book.beginning == told.ledger.book.beginning


def test_a_person_cancels_a_run_whether_it_came_before_or_not() -> None:
    told = from_the_middle(due(0), Cancelled(run=due(0).id, reason=SkipReason.CANCELLED))
    assert told.verdicts == ["skipped"]

    told.tell(Cancelled(run=due(0).id, reason=SkipReason.CANCELLED))
    assert told.ledger.book.refused["cancelled"] == 1


def test_a_fold_that_knows_the_beginning_and_a_log_of_level_1_have_no_doubts() -> None:
    told = Told()
    told.tell(due(0))
    told.tell(started(due(0), -1), released(due(60), -1))
    assert list(told.ledger.book.live) == [due(0).id]

    told = from_the_middle(a_run(revision=None), level=1)
    told.tell(started(a_run(revision=None), 400))
    assert told.live.state == "queued"
