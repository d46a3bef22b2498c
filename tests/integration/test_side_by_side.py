"""What a real Kafka does to logs and their owners, each case beside the others to save time.

Four of them share a Kafka and a scheduler; the fifth has a Kafka of three brokers of its own.
"""

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import to_row
from cronstream.core.wire import naming
from cronstream.core.wire.entries import Withdrawal
from cronstream.core.wire.enumerations import Cause, Outcome
from cronstream.core.wire.naming import Role
from cronstream.settings import Settings
from cronstream.topology.changelog import Changelog
from cronstream.topology.publish import partition_of
from cronstream.topology.topics import ensure_topics, topics_of
from tests.builders import NAMES, a_run
from tests.integration.command import run_command
from tests.integration.conftest import StartWorker
from tests.integration.hands import (
    AHEAD,
    LOOK_AHEAD_S,
    configure,
    delete_records,
    delete_topic,
    end_of,
    publisher,
    until,
)
from tests.integration.leaderless import without_a_leader
from tests.integration.truth import Truth, a_name
from tests.integration.watched import Watched, start_watched
from tests.ledger_builders import finished

pytestmark = pytest.mark.integration

_PARTITIONS = 12


async def test_what_is_lost_is_told_and_made_and_what_stands_still_holds_up_no_other(
    broker: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    async with asyncio.TaskGroup() as all_at_once:
        all_at_once.create_task(_killed_and_forgotten(broker, start_worker, tmp_path))
        all_at_once.create_task(without_a_leader(start_worker, tmp_path / "three"))


# -- one Kafka ----------------------------------------------------------------------------


def _at(moment: datetime) -> str:
    """Return a schedule for one moment of a day."""
    return f"{moment.second} {moment.minute} {moment.hour} * * *"


@dataclass
class _Case:
    """One Kafka with a scheduler, and the clusters that the cases have."""

    broker: str
    start: StartWorker
    truth: Truth
    begun: datetime
    folder: Path
    once: str
    first: str
    mended: str
    ill: str

    async def worker(self, cluster: str, name: str, **variables: str) -> Watched:
        more = {"WORKER": name, **AHEAD, **variables}
        return await start_watched(self.start, "--cluster", cluster, variables=more)

    async def audit(self, cluster: str) -> tuple[int, dict[str, Any], list[str]]:
        """Return status, summary, and the kinds of findings that break a promise."""
        since = self.begun.isoformat()
        options = ("--json", "--cluster", cluster, "--since", since)
        status, out, err = await run_command(f"kafka://{self.broker}", "audit", *options)
        assert status in (0, 1), err
        *found, summary = [json.loads(line) for line in out.splitlines()]
        return status, summary, [each["kind"] for each in found]


async def _killed_and_forgotten(broker: str, start: StartWorker, folder: Path) -> None:
    names = map(a_name, ("once", "first", "mended", "ill"))
    case = _Case(broker, start, Truth(folder), datetime.now(UTC), folder, *names)
    file = folder / "crontab.yaml"
    file.write_text(_crontab(case, None))
    scheduler, killed, _ = await asyncio.gather(
        start_watched(start, variables=AHEAD),
        case.worker(case.once, "killed", CRONSTREAM_SLOTS="2"),
        _fold_ahead(case),
    )
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=10)
    file.write_text(_crontab(case, due))
    await scheduler.worker.said("jobs 20 added")
    async with asyncio.TaskGroup() as both:
        both.create_task(_only_what_has_started_is_discarded(case, killed, due))
        both.create_task(_what_was_announced_once_is_learnt(case, due))
        both.create_task(_a_log_that_was_lost_is_mended_as_the_docs_say(case, due))
        both.create_task(_a_topic_that_is_set_wrongly_holds_up_its_cluster(case, scheduler, due))


def _crontab(case: _Case, due: datetime | None, *more: str, ill: str = "exit 1") -> str:
    """Return all jobs; none without a due time."""
    names = case.once, case.first, case.mended, case.ill
    clusters = ", ".join(f"{name}: " for name in names)
    head = f"version: 1\nclusters: {{{clusters}}}\njobs:\n"
    if due is None:
        return head.replace("jobs:\n", "jobs: []\n")
    stays = f'{case.truth.command}; [ "$WORKER" = killed ] && exec sleep 300'
    plain = f"command: '{case.truth.command}'"
    at_most_once = f"cluster: {case.once}, delivery: at_most_once, command: '{stays}; true'"
    later = _at(due + timedelta(seconds=2))
    return head + "".join(
        f"  - {{name: {job}}}\n"
        for job in (
            *(f"{case.once}-{n}, schedule: '{_at(due)}', {at_most_once}" for n in range(10)),
            *(
                f"{case.once}-{policy}, schedule: '{later}', overlap: {policy}, {at_most_once}"
                for policy in ("skip", "queue")
            ),
            *(
                f"{cluster}-{n}, cluster: {cluster}, schedule: '{_at(_later(due, n))}', {plain}"
                for cluster in (case.first, case.mended)
                for n in range(3)
            ),
            f"{case.once}-refused, cluster: {case.once}, schedule: '{_at(_later(due))}', {plain}",
            f"{case.ill}, cluster: {case.ill}, schedule: '0 0 1 1 *', command: '{ill}'",
            *more,
        )
    )


def _later(due: datetime, seconds: int = 0) -> datetime:
    """Return when runs are due on logs that are deleted before: not yet published by then."""
    return due + timedelta(seconds=LOOK_AHEAD_S + 7 + seconds)


async def _only_what_has_started_is_discarded(case: _Case, killed: Watched, due: datetime) -> None:
    """Two slots and twelve runs, all at_most_once; two of them wait for their turn, too."""
    await _forge_a_newer_word(case, f"{case.once}-refused")
    begun = await case.truth.wait(2)
    await asyncio.sleep(max(0.0, due.timestamp() + 3.5 - time.time()))
    begun = _of(case, "killed")
    await killed.worker.kill()
    other = await case.worker(case.once, "other", CRONSTREAM_SLOTS="16")

    await until(lambda: len(_of(case, "other")) >= 10)
    await _is_told_as_refused(other, f"{case.once}-refused")
    again = _of(case, "other")
    assert len(begun) == 2
    assert len(again) == 10
    assert len({line.run for line in (*begun, *again)}) == 12
    assert {line.job for line in again} >= {f"{case.once}-skip", f"{case.once}-queue"}
    # Before its time nobody misses what was refused.
    await asyncio.sleep(max(0.0, _later(due).timestamp() + 1 - time.time()))
    status, summary, kinds = await case.audit(case.once)
    assert summary["verdicts"] == {"succeeded": 10, "discarded": 2, "skipped": 0}
    assert (status, summary["refused"]) == (1, 1)
    assert set(kinds) <= {"refused", "lost", "late"}


async def _forge_a_newer_word(case: _Case, job: str) -> None:
    """Put on a log that a revision holds which no scheduler has; all that comes is refused."""
    newer = Withdrawal(job=job, revision=10**9, effective_from=case.begun - timedelta(hours=1))
    async with publisher(case.broker) as to_log:
        await to_log.publish(NAMES.log(case.once), job, newer)


async def _is_told_as_refused(worker: Watched, job: str) -> None:
    told = await worker.worker.said(f"of job {job!r} was refused: ")
    assert "is older than the one in force" in told
    await worker.warns(f"of job {job!r} was refused")


def _of(case: _Case, worker: str) -> list[Any]:
    return [line for line in case.truth.lines() if line.worker == worker]


async def _what_was_announced_once_is_learnt(case: _Case, due: datetime) -> None:
    """The first worker comes when Kafka has deleted the words that put its jobs in force."""
    await _forget(case, case.first, due)
    await _leave_a_double(case, f"{case.first}-0")
    worker = await case.worker(case.first, "first")

    runs = await _three_runs(case, case.first)
    assert len(set(runs)) == len(runs) == 3
    assert not any("!" in run for run in runs), "the double was made, and at once"
    _, health = await worker.ask()
    assert health["warnings"] == []
    await _is_clean_as_far_as_the_log_tells(case, case.first)


async def _leave_a_double(case: _Case, job: str) -> None:
    """Put on a log that is without its beginning a message come twice, and how its run ended."""
    now = datetime.now(UTC)
    run = a_run(job=job, cluster=case.first, command=case.truth.command, scheduled_at=now)
    run = run.derive(cause=Cause.RUN_NOW, revision=None, as_of=now - timedelta(minutes=1))
    over = finished(run, 0, Outcome.SUCCEEDED, "gone")
    async with publisher(case.broker) as to_log:
        await to_log.publish(NAMES.log(case.first), job, run)
        await to_log.publish(NAMES.log(case.first), job, over)


async def _forget(case: _Case, cluster: str, due: datetime) -> None:
    """Delete all that is on a cluster's log, before its runs are published."""
    jobs = [f"{cluster}-{n}" for n in range(3)]
    await delete_records(case.broker, NAMES.log(cluster), range(_PARTITIONS), jobs)
    published = _later(due) - timedelta(seconds=LOOK_AHEAD_S)
    assert datetime.now(UTC) < published, "this machine is too slow: runs are deleted too"


async def _is_clean_as_far_as_the_log_tells(case: _Case, cluster: str) -> None:
    status, summary, _ = await case.audit(cluster)
    assert status == 0
    assert any("deleted up to" in limit for limit in summary["limits"]), summary


async def _three_runs(case: _Case, cluster: str) -> list[str]:
    """Return the starts of the jobs that are due once, when there are three."""
    jobs = {f"{cluster}-{n}" for n in range(3)}

    def found() -> list[str]:
        return [line.run for line in case.truth.lines() if line.job in jobs]

    await until(lambda: len(found()) >= 3)
    return found()


async def _fold_ahead(case: _Case) -> None:
    """Leave a snapshot of a log that went further than the one that is there."""
    config = Settings(broker=f"kafka://{case.broker}")
    role = Role.of(case.mended, retry=False)
    await ensure_topics(topics_of(role, config, {naming.LEDGERS: _PARTITIONS}), config)
    ledger = Ledger(retry=False)
    ledger.book.now, ledger.book.next_offset = case.begun, 500
    changelog, partition = Changelog(config), partition_of(f"{case.mended}-0", _PARTITIONS)
    await changelog.start()
    key, row = orjson.dumps(str(partition)), orjson.dumps(to_row(ledger, partition))
    changelog.put(NAMES.ledgers(role), partition, key, row)
    await changelog.stop(30.0)


async def _a_log_that_was_lost_is_mended_as_the_docs_say(case: _Case, due: datetime) -> None:
    """The log is shorter than its snapshot, and its beginning is gone besides."""
    await _forget(case, case.mended, due)
    worker = await case.worker(case.mended, "lost")
    told = await worker.worker.said("was truncated, or recreated")
    assert await end_of(worker.worker) == 1
    changelog = NAMES.ledgers(Role.of(case.mended, retry=False))
    await delete_topic(case.broker, changelog)
    await case.worker(case.mended, "mended")

    runs = await _three_runs(case, case.mended)
    assert NAMES.log(case.mended) in told
    assert len(set(runs)) == len(runs) == 3
    await _is_clean_as_far_as_the_log_tells(case, case.mended)


async def _a_topic_that_is_set_wrongly_holds_up_its_cluster(
    case: _Case, scheduler: Watched, due: datetime
) -> None:
    """Edits of the jobs of that cluster wait; one of another is in force, and made."""
    log, file, limit = NAMES.log(case.ill), case.folder / "crontab.yaml", "max.message.bytes"
    await configure(case.broker, log, {limit: "1000"})
    fresh = f"{case.mended}-fresh"
    job = f"{fresh}, cluster: {case.mended}, schedule: '@every 1s', command: "
    file.write_text(_crontab(case, due, f"{job}'{case.truth.command}'", ill="exit 2"))

    told = await scheduler.worker.said(f"cluster {case.ill} is held up, and 1 edits of its jobs")
    await scheduler.worker.said("jobs 1 added; 21 in all")
    command = f"kafka-configs --alter --entity-type topics --entity-name {log} --add-config "
    assert command in told
    await scheduler.warns(command)
    assert not any("1 changed" in line for line in scheduler.worker.lines)
    await case.truth.wait(2, fresh)

    value = told.partition(f"{command}{limit}=")[2].partition(")")[0]
    await configure(case.broker, log, {limit: value})
    await scheduler.worker.said("jobs 1 changed; 21 in all")
