from cronstream.core.protocol.actions import Hand
from cronstream.core.protocol.trusting import Trusting
from cronstream.core.timing import Timing
from cronstream.core.trust.judging import TRUSTED, Judgement, Standing
from cronstream.core.wire.entries import Claimed, Finished, Level, Released, Started
from cronstream.core.wire.enumerations import Cause, Delivery, Outcome, Overlap
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.runs import Run
from tests.builders import a_run, at
from tests.member_builders import BACKUP, Worker

FORGED = Judgement(Standing.REFUSED, "forged", "it was changed", "k")
UNKNOWN = Judgement(Standing.UNKNOWN_KEY, "unknown-key", "its key is not known", "k")


class Judged(Worker):
    """A worker that thinks of every run what the test says, on logs of the highest level."""

    def __init__(self, thought: Judgement = TRUSTED, *, level: int = LEVEL) -> None:
        super().__init__()
        self.thought = thought
        self.refused: list[tuple[Run, Judgement]] = []
        self.member.trusting.judge = lambda _: self.thought
        self.member.trusting.on_refused = lambda run, judged: self.refused.append((run, judged))
        self.assign(0)
        self.flush()
        self.log(Level(level=level), BACKUP)

    def said(self, kind: type) -> list[object]:
        """What stands on its log, of one kind."""
        return [entry for _, es in self.logs[0] for entry in es if isinstance(entry, kind)]

    def end(self) -> Finished:
        [finished] = self.said(Finished)
        assert isinstance(finished, Finished)
        return finished


def test_what_is_refused_is_claimed_and_ends_in_view_without_a_start() -> None:
    worker = Judged(FORGED)
    run = a_run(max_attempts=3)

    worker.log(run)
    worker.settle()

    ended = worker.end()
    assert (ended.outcome, ended.note, ended.started_at) == (
        Outcome.REFUSED,
        "it was changed",
        None,
    )
    assert not worker.of(Hand)
    assert worker.refused == [(run, FORGED)]
    book = worker.member.ledgers[0].book
    assert book.live[run.id].reason == "attempt 1 refused (it was changed)"
    assert not worker.member.claiming


def test_what_is_refused_is_not_said_to_have_started() -> None:
    for fields in ({"overlap": Overlap.SKIP}, {"delivery": Delivery.AT_MOST_ONCE}):
        worker = Judged(FORGED)

        worker.log(a_run(**fields))
        worker.settle()

        assert not worker.said(Started)
        assert worker.end().outcome is Outcome.REFUSED


def test_on_a_log_that_knows_no_refusal_it_is_a_failure() -> None:
    worker = Judged(FORGED, level=2)

    worker.log(a_run())
    worker.settle()

    assert worker.end().outcome is Outcome.FAILED


def test_a_run_whose_key_is_not_known_waits_without_a_claim_until_it_is() -> None:
    for fields in ({}, {"overlap": Overlap.QUEUE}):
        worker = Judged(UNKNOWN)
        worker.log(a_run(**fields))
        worker.settle()

        assert worker.member.trusting.set_aside == {0: {a_run().id: 2}}
        assert not worker.said(Claimed)
        worker.thought = TRUSTED
        worker.settle()
        assert not worker.said(Claimed)
        worker.member.look_again()
        worker.settle()

        [hand] = worker.of(Hand)
        assert hand.run == a_run(**fields)


def test_what_waits_for_its_key_takes_no_room_from_what_is_trusted() -> None:
    worker = Judged()
    worker.member.keep_to(Timing(max_claims=2))
    worker.member.trusting.judge = lambda run: UNKNOWN if run.cause else TRUSTED
    worker.log(*(a_run(revision=None, cause=Cause.RUN_NOW, number=n) for n in range(5)), a_run())

    worker.settle()

    assert [hand.run for hand in worker.of(Hand)] == [a_run()]
    assert len(worker.member.trusting.set_aside[0]) == 5


def test_a_key_that_goes_between_claim_and_start_gives_the_run_back() -> None:
    worker = Judged()
    worker.log(a_run())
    worker.wake()
    worker.thought = UNKNOWN

    worker.flush()
    worker.settle()

    assert len(worker.said(Released)) == 1
    assert not worker.of(Hand)
    assert worker.member.trusting.set_aside[0].keys() == {a_run().id}


def test_what_waited_for_its_key_is_found_again_when_the_partition_is_assigned_anew() -> None:
    worker = Judged(UNKNOWN)
    worker.log(a_run())
    worker.settle()
    worker.thought = TRUSTED

    worker.assign(0)
    worker.settle()

    assert [hand.run for hand in worker.of(Hand)] == [a_run()]


def test_what_waited_for_its_key_goes_with_its_partition() -> None:
    worker = Judged(UNKNOWN)
    worker.log(a_run())
    worker.settle()

    worker.assign(1)
    worker.settle()
    worker.member.look_again()

    assert worker.member.trusting.set_aside == {}


def test_a_run_that_was_withdrawn_while_it_waited_for_its_key_is_not_found_again() -> None:
    worker = Judged(UNKNOWN)
    worker.log(a_run())
    worker.settle()
    worker.log(BACKUP.derive(revision=2, removed=True))
    worker.thought = TRUSTED

    worker.member.look_again()
    worker.settle()

    assert not worker.said(Claimed)


def test_of_a_partition_that_is_another_workers_nothing_is_found_again() -> None:
    worker = Judged(UNKNOWN)
    worker.log(a_run())
    worker.settle()
    aside = worker.member.trusting.set_aside[0]
    worker.member.trusting.set_aside = {0: aside, 9: {"x": 1}}
    worker.member.owners.clear()

    worker.member.look_again()

    assert worker.member.trusting.set_aside == {}


def test_whoever_cares_for_no_refusal_need_not() -> None:
    trusting = Trusting()

    trusting.refuse("a#1", 0, a_run(), FORGED)

    assert [entry.note for _, entry in trusting.ends("w1", {}, at(0))] == ["it was changed"]
    assert trusting.ends("w1", {}, at(0)) == []
