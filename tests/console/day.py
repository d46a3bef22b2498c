"""A day of an installation on a real Kafka, for a console to show: ``python -m tests.console.day``.

    python -m tests.console.day KAFKA

Puts a day of some seventy jobs on an empty Kafka, as schedulers and workers would have: each entry
names the offset that it judged, and the fold takes it or not. Logs bear the times of that day, so
they are made with the times that messages bring. Then it announces the processes until Ctrl-C, for
``cronstream console --broker kafka://KAFKA`` to find.
"""

import asyncio
import heapq
import itertools
import sys
from collections import Counter
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from cronstream.core.schedule.schedule import compile_schedule
from cronstream.core.wire.codec import encode_entries
from cronstream.core.wire.entries import (
    Claimed,
    Finished,
    Forwarded,
    Lost,
    Settled,
    Skipped,
    Started,
    Withdrawal,
)
from cronstream.core.wire.enumerations import Outcome, SkipReason, Verdict
from cronstream.core.wire.runs import Discarded, Job, Run
from tests.builders import NAMES
from tests.cli.fake_broker import PARTITIONS, FakeBroker
from tests.console import scene
from tests.console.scene import Behaviour

DAY: Final = timedelta(hours=24)
_AHEAD: Final = timedelta(seconds=20)
_MORE: Final = tuple(
    (name, schedule, cluster, Behaviour(seconds, output=output))
    for name, schedule, cluster, seconds, output in (
        ("accounts-sync", "*/10 * * * *", "crm", 12, "synced 418 accounts\n"),
        ("ad-spend-import", "15 * * * *", "marketing", 31, "3 networks, 1,204 rows\n"),
        ("audience-refresh", "40 */2 * * *", "marketing", 240, "12 audiences refreshed\n"),
        ("backup-verify", "50 4 * * *", "storage", 1800, "restored 3 of 3, checksums agree\n"),
        ("banner-rotate", "*/30 * * * *", "marketing", 1, "ok\n"),
        ("cdn-purge", "*/20 * * * *", "web", 3, "purged 61 paths\n"),
        ("contacts-dedupe", "10 3 * * *", "crm", 410, "37 merged, 2 left to people\n"),
        ("credit-notes", "25 * * * *", "billing", 5, "2 credit notes\n"),
        ("crm-leads", "*/5 * * * *", "crm", 4, "9 leads\n"),
        ("customer-scores", "30 2 * * *", "crm", 1260, "scored 88,410 customers\n"),
        ("delivery-slots", "*/10 * * * *", "logistics", 9, "ok\n"),
        ("disk-report", "0 7 * * *", "storage", 12, "all volumes below 80 %\n"),
        ("dunning", "0 8 * * 1-5", "billing", 66, "14 letters\n"),
        ("fuel-surcharge", "5 0 * * *", "logistics", 2, "ok\n"),
        ("gdpr-erasure", "30 3 * * *", "crm", 95, "6 requests done\n"),
        ("geo-ip-update", "12 5 * * *", "web", 44, "updated\n"),
        ("inventory-count", "*/15 * * * *", "logistics", 38, "ok\n"),
        ("kpi-email", "0 6 * * 1-5", "reports", 17, "sent to 12\n"),
        ("label-print", "*/3 * * * *", "logistics", 2, "21 labels\n"),
        ("ledger-check", "*/30 * * * *", "billing", 22, "balanced\n"),
        ("mail-bounces", "*/15 * * * *", "mail", 6, "4 bounces\n"),
        ("margin-report", "45 5 * * *", "reports", 130, "written\n"),
        ("parcel-status", "*/5 * * * *", "logistics", 14, "3 carriers\n"),
        ("pick-lists", "*/10 6-20 * * *", "logistics", 8, "ok\n"),
        ("price-feed", "*/15 * * * *", "marketing", 27, "81,337 offers\n"),
        ("queue-depths", "* * * * *", "web", 0.2, "ok\n"),
        ("recommendations", "0 */3 * * *", "web", 610, "trained\n"),
        ("refunds", "*/20 * * * *", "billing", 7, "ok\n"),
        ("returns-import", "*/10 * * * *", "logistics", 5, "ok\n"),
        ("reviews-moderate", "*/15 * * * *", "web", 16, "5 held back\n"),
        ("route-planning", "30 4 * * *", "logistics", 2400, "184 tours\n"),
        ("segments-export", "20 */4 * * *", "marketing", 180, "written\n"),
        ("sepa-upload", "0 11 * * 1-5", "billing", 9, "accepted\n"),
        ("sitemap", "0 */6 * * *", "web", 25, "41,002 addresses\n"),
        ("sla-report", "15 7 * * *", "reports", 41, "written\n"),
        ("snapshots-prune", "35 * * * *", "storage", 28, "kept 48\n"),
        ("supplier-orders", "*/30 * * * *", "logistics", 19, "ok\n"),
        ("tickets-escalate", "*/5 * * * *", "crm", 2, "ok\n"),
        ("tls-expiry", "0 8 * * *", "web", 6, "next: 31 days\n"),
        ("wal-archive", "*/5 * * * *", "storage", 4, "2 segments\n"),
    )
)
#: Of a command that fails; and a worker that is heard of no more.
_STATUS: Final = 75
_SLOW_S: Final = 300
_GONE: Final = "node5.w4"
_OUTCOMES: Final = {
    "bad": Outcome.FAILED,
    "flaky": Outcome.FAILED,
    "slow": Outcome.TIMED_OUT,
}


class Day:
    """What has been put on the logs by its end, message by message, each at its time.

    Args:
        end: When it ends (UTC).
        found: The jobs in force.

    Attributes:
        broker: With all of it.
        clusters: Their names, in order.
        running: What runs at its end, by worker.
    """

    def __init__(self, end: datetime, found: list[Job]) -> None:
        self.clusters = sorted({job.cluster for job in found})
        self.broker = FakeBroker(*self.clusters)
        self.running = Counter[str]()
        self._end, self._now, self._number = end, end - DAY, itertools.count()
        self._waiting: list[tuple[datetime, int, Iterator[datetime]]] = []
        self._busy: set[str] = set()
        scene.put_in_force(self.broker, found)
        ways = {name: how for name, *_, how in (*scene.JOBS, *_MORE)}
        for job in found:
            begin = Withdrawal(job=job.name, revision=1, effective_from=self._now)
            self.broker.log(job.name, begin, when=self._now, cluster=job.cluster)
            if job.control is None and job.enabled:
                schedule = compile_schedule(job.schedule, job.timezone)
                for number, due in enumerate(schedule.between(self._now + _AHEAD, end + _AHEAD)):
                    self._later(due - _AHEAD, self._life(job, ways[job.name], number, due))
        while self._waiting and self._waiting[0][0] <= end:
            self._now, _, life = heapq.heappop(self._waiting)
            if (on := next(life, None)) is not None:
                self._later(on, life)

    def _later(self, when: datetime, life: Iterator[datetime]) -> None:
        heapq.heappush(self._waiting, (when, next(self._number), life))

    def _life(self, job: Job, how: Behaviour, number: int, due: datetime) -> Iterator[datetime]:
        """Put on the logs what becomes of one run; yield until when nothing does."""
        run = _first(job, due)
        version = self._log(run, run)
        yield due - timedelta(seconds=0.5)
        if job.name in self._busy:
            yield due + timedelta(seconds=0.02)
            self._log(run, Skipped(run=run.id, version=version, reason=SkipReason.OVERLAP))
            return
        self._busy.add(job.name)
        fate = _fate(job.name, how, number, (self._end - due) / timedelta(minutes=1))
        worker = f"node{2 + number % 2}.w{self.clusters.index(job.cluster)}"
        if fate == "lost":
            yield from self._lose(run, version, due)
            version = self._log(run, Lost(worker=_GONE, number=1))
        seconds = _SLOW_S if fate == "slow" else how.seconds * (0.8 + number * 7 % 10 / 20)
        if how.is_long and self._end - due < timedelta(minutes=15):
            seconds = 1200
        made = _Made(self, NAMES.log(job.cluster), worker, _wrote(how, fate))
        end = yield from made.attempt(run, version, due, seconds, fate)
        if fate in ("bad", "flaky", "slow"):
            yield from self._retry(run, how, fate, end)
        self._busy.discard(job.name)

    def _lose(self, run: Run, version: int, due: datetime) -> Iterator[datetime]:
        """Have it claimed and started by a worker that is heard of no more."""
        self._log(run, Claimed(run=run.id, version=version, worker=_GONE, number=1))
        yield due + timedelta(seconds=0.03)
        started = Started(run=run.id, claim=version, worker=_GONE, started_at=self._now, pid=4711)
        self._log(run, started)
        yield due + timedelta(seconds=26)

    def _retry(self, first: Run, how: Behaviour, fate: str, end: int) -> Iterator[datetime]:
        """Put there what becomes of a run that has failed once, on the retry log and after it."""
        log, most = NAMES.retry_log(first.cluster), first.max_attempts
        made = _Made(self, log, f"node3.r{self.clusters.index(first.cluster)}", _wrote(how, fate))
        wait, before, run = timedelta(seconds=15), (NAMES.log(first.cluster), end), first
        for attempt in range(2, most + 1 if fate != "flaky" else 3):
            not_before = self._now + wait * (attempt - 1)
            run = first.derive(
                attempt=attempt, attempts_left=most + 1 - attempt, not_before=not_before
            )
            version = self.put(log, run, run)
            self.put(before[0], run, Forwarded(run=run.id, version=before[1]))
            yield not_before
            fails = "ok" if fate == "flaky" else fate
            seconds = _SLOW_S if fate == "slow" else how.seconds
            end = yield from made.attempt(run, version, not_before, seconds, fails)
            before = log, end
        verdict = Verdict.SUCCEEDED if fate == "flaky" else Verdict.DISCARDED
        if verdict is Verdict.DISCARDED:
            why = "timed out" if fate == "slow" else f"failed (exit status {_STATUS})"
            reason = f"attempt {most} {why}, {most} of {most} failures"
            self.broker.discard(Discarded(run=run, reason=reason, discarded_at=self._now))
        self._log(first, Settled(run=first.id, attempt=run.attempt, verdict=verdict))
        self.put(log, first, Forwarded(run=first.id, version=end))

    def _log(self, run: Run, entry: Any) -> int:
        return self.put(NAMES.log(run.cluster), run, entry)

    def put(self, log: str, run: Run, entry: Any) -> int:
        """Append an entry now; return its offset."""
        return self.broker.put(log, run.job, encode_entries([entry]), self._now)[1]

    @property
    def now(self) -> datetime:
        """How far the day is."""
        return self._now


@dataclass(frozen=True, slots=True)
class _Made:
    """Makes attempts on one log, as a worker of it."""

    day: Day
    log: str
    worker: str
    output: str

    def attempt(
        self, run: Run, version: int, due: datetime, seconds: float, fate: str
    ) -> Generator[datetime, None, int]:
        """Have it claimed, started and ended; return the offset of its end."""
        claim = Claimed(run=run.id, version=version, worker=self.worker, number=1)
        self.day.put(self.log, run, claim)
        yield due + timedelta(seconds=0.003 + len(run.job) % 5 / 1000)
        began = self.day.now
        started = Started(run=run.id, claim=version, worker=self.worker, started_at=began, pid=4711)
        self.day.put(self.log, run, started)
        self.day.running[self.worker] += 1
        yield began + timedelta(seconds=seconds)
        self.day.running[self.worker] -= 1
        outcome = _OUTCOMES.get(fate, Outcome.SUCCEEDED)
        ended = Finished(
            run=run.id,
            claim=version,
            worker=self.worker,
            outcome=outcome,
            started_at=began,
            ended_at=self.day.now,
            exit_status={Outcome.SUCCEEDED: 0, Outcome.FAILED: _STATUS}.get(outcome),
            signal=15 if outcome is Outcome.TIMED_OUT else None,
            head=self.output,
        )
        return self.day.put(self.log, run, ended)


def jobs() -> list[Job]:
    """Return the jobs in force."""
    more = [scene.a_job(name, schedule, cluster) for name, schedule, cluster, _ in _MORE]
    return [*(job for job in scene.jobs() if job.name != scene.HOSTILE), *more]


def _first(job: Job, due: datetime) -> Run:
    return Run(
        job=job.name,
        cluster=job.cluster,
        scheduled_at=due,
        not_before=due,
        command=job.command,
        revision=1,
        max_attempts=job.max_attempts,
        attempts_left=job.max_attempts,
        overlap=job.overlap,
    )


def _fate(job: str, how: Behaviour, number: int, minutes_ago: float) -> str:
    """Return what becomes of a run: mail is refused of late, a backup took too long at night."""
    if job == "deliver-mail":
        return "bad" if minutes_ago < 48 else "flaky" if number % 61 == 7 else "ok"
    if job == "database-backup" and 640 < minutes_ago < 700:
        return "slow"
    if job == "export-warehouse" and number == 61:
        return "lost"
    if job == "orders-to-erp":
        return "bad" if number % 97 == 40 else "ok"
    return "flaky" if number % 10 in how.flaky and number % 3 == 0 else "ok"


def _wrote(how: Behaviour, fate: str) -> str:
    if fate == "slow":
        return "pg_dump: dumping contents of table public.events\n"
    if fate == "bad" or how.output != scene.FAILED:
        return how.output
    return "52 messages are sent\n"


async def put_on_kafka(address: str, broker: FakeBroker) -> None:
    """Make the topics, and put all there, at the same offsets and times."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    producer = AIOKafkaProducer(bootstrap_servers=address, linger_ms=20, enable_idempotence=True)
    await admin.start()
    try:
        names = [*broker.topics, NAMES.workers]
        # What was put in force weeks ago would be removed after some minutes.
        keeps = {"retention.ms": "-1"}
        await admin.create_topics(
            [
                NewTopic(name, 1 if name == NAMES.workers else PARTITIONS, 1, topic_configs=keeps)
                for name in names
            ]
        )
    finally:
        await admin.close()
    async with producer:
        sent = []
        for logs in broker.topics.values():
            for one in itertools.chain(*logs):
                at = int(one.at.timestamp() * 1000)
                sent.append(await producer.send(one.topic, one.value, one.key, one.partition, at))
        for each in sent:
            await each


async def announce(address: str, day: Day, found: list[Job]) -> None:
    """Announce the processes, for ever."""
    async with AIOKafkaProducer(bootstrap_servers=address) as producer:
        while True:
            for seen in scene.processes(found):
                who = seen.who.model_copy(update={"running": day.running[seen.who.name]})
                await producer.send(NAMES.workers, who.encode(), who.name.encode())
            await producer.flush()
            await asyncio.sleep(2)


async def main(address: str, is_there: asyncio.Event | None = None) -> None:
    """Put a day there that ends now, and announce who has made it until it is cancelled.

    Args:
        address: That of an empty Kafka.
        is_there: Is set once the day is there.
    """
    now = datetime.now(UTC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scene, "NOW", now)
        found = jobs()
        day = Day(now, found)
        await put_on_kafka(address, day.broker)
        count = sum(len(log) for logs in day.broker.topics.values() for log in logs)
        print(f"{count:,} messages are on {address}", flush=True)
        if is_there is not None:
            is_there.set()
        await announce(address, day, found)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(sys.argv[1]))
