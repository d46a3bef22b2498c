"""Which runs are late with a worker, why, and when that is told."""

from cronstream.core.health.lateness import LOOKED_AT, Holders, Late, LateNotice, find_late
from cronstream.core.wire.entries import Withdrawal
from cronstream.core.wire.runs import Run
from tests.builders import NOON, a_run, at
from tests.ledger_builders import due
from tests.member_builders import Worker, owner


def of_job(job: str, seconds: float) -> Run:
    return a_run(job=job, scheduled_at=at(seconds), not_before=at(seconds))


def in_force(job: str) -> Withdrawal:
    return Withdrawal(job=job, revision=1, effective_from=NOON)


def busy(*, started: int) -> Worker:
    """A worker that has four runs, due at 1 to 4 s, of which so many have been started on time."""
    worker = owner(in_force("hung"), of_job("hung", 1), of_job("hung", 2), due(3), due(4))
    worker.settle()
    for key in sorted(worker.member.holding, key=lambda key: key.partition("@")[2])[:started]:
        worker.member.started(key, worker.member.holding[key].run.not_before, 7)
    return worker


def late(**fields: object) -> Late:
    values = {"count": 1, "oldest": due(3).id, "oldest_s": 45.0, "free": 0, "slots": 2}
    holders = (Holders("hung", 2, 200.0),)
    return Late(**{"holders": holders, **values, **fields})  # type: ignore[arg-type]


def test_what_is_handed_over_and_not_started_when_its_time_has_come_is_late() -> None:
    assert find_late(busy(started=2).member, 2, at(48)) == Late(
        count=2,
        oldest=due(3).id,
        oldest_s=45.0,
        holders=(Holders("hung", 2, 47.0),),
        free=0,
        slots=2,
    )


def test_nothing_is_late_before_its_time_or_once_it_has_been_started() -> None:
    assert find_late(busy(started=2).member, 2, at(3)) is None
    assert find_late(busy(started=4).member, 4, at(99)) is None


def test_what_gives_way_is_not_late() -> None:
    worker = busy(started=2)
    worker.log(Withdrawal(job="backup", revision=9, effective_from=at(-1)))
    worker.wake()
    assert find_late(worker.member, 2, at(48)) is None


def test_what_cannot_even_be_claimed_is_late_too() -> None:
    worker = owner(due(1), due(2), due(3), due(400), max_claims=1)
    worker.settle()
    found = find_late(worker.member, 64, at(10))
    assert found is not None
    assert (found.count, found.oldest, found.free) == (3, due(1).id, 64)


def test_a_run_that_has_been_claimed_meanwhile_is_counted_once() -> None:
    worker = owner(due(1), due(2), max_claims=1)
    worker.settle()
    ledger = worker.member.ledgers[0]
    ledger.book.waiting.append((at(1), 999, due(1).id))
    ledger.book.waiting.append((at(1), 999, "gone"))
    found = find_late(worker.member, 64, at(10))
    assert found is not None
    assert found.count == 2


def test_of_very_many_not_all_are_looked_at() -> None:
    worker = owner(due(1), due(2), due(3), max_claims=0)
    worker.settle()
    waiting = worker.member.ledgers[0].book.waiting
    waiting[1:1] = [(at(1), 999, "gone")] * (LOOKED_AT - 1)
    found = find_late(worker.member, 64, at(10))
    assert found is not None
    assert (found.count, found.oldest) == (1, due(1).id)
    assert late(count=LOOKED_AT).sentence.startswith("at least 5000 runs are late, the oldest")


def test_a_start_of_which_the_time_is_not_known_is_taken_for_punctual() -> None:
    worker = busy(started=0)
    for key in list(worker.member.holding)[:2]:
        worker.member.kept(key)
    found = find_late(worker.member, 2, at(48))
    assert found is not None
    assert found.holders == (Holders("hung", 2, 47.0),)


def test_the_sentence_names_who_has_the_slots_and_the_remedy() -> None:
    assert late(count=3).sentence == (
        "3 runs are late, the oldest by 45 s (backup@2026-01-01T12:00:03Z): all 2 slots are taken, "
        "by hung (2, the longest for 3 min 20 s); if they hang, end them with 'cronstream cancel "
        "--job hung' and give the job a timeout; else raise CRONSTREAM_SLOTS, or start another "
        "worker"
    )


def test_the_sentence_names_a_few_of_many_jobs_and_the_one_that_takes_longest() -> None:
    many = tuple(Holders(f"job-{n}", 1, n * 3600.0) for n in range(5))
    sentence = late(holders=many, oldest_s=8000.0).sentence
    assert sentence.startswith("1 run is late, the oldest by 2 h 13 min ")
    assert "job-2 (1, the longest for 2 h 00 min), 2 more jobs; if" in sentence
    assert "'cronstream cancel --job job-4'" in sentence


def test_what_is_late_though_slots_are_free_waits_for_something_else() -> None:
    assert late(free=1).sentence.endswith(
        "1 of 2 slots are free, so they wait for Kafka, or for an executor (see /health)"
    )


def test_lateness_is_told_at_doubling_intervals_while_it_lasts_and_once_when_it_is_over() -> None:
    telling = LateNotice()
    told = []
    for second in range(200):
        if telling.look(late(oldest_s=float(second)), 1000.0 + second):
            told.append(second)
        assert not telling.is_over(late(oldest_s=5.0))
    assert told == [10, 20, 40, 80, 160]
    assert telling.is_over(late(oldest_s=0.5))
    assert not telling.is_over(None)
    assert telling.look(late(), 1200.0)
    assert telling.is_over(None)


def test_a_run_that_is_a_moment_late_is_not_told() -> None:
    telling = LateNotice()
    assert telling.look(late(oldest_s=9.9), 0.0) is None
    assert telling.look(None, 0.0) is None
    assert not telling.is_over(None)
