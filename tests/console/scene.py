"""An installation with something of everything, as a console finds it: for browsers to look at."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from cronstream.console.acting import Acting
from cronstream.console.actions import Actions
from cronstream.console.app import Asking, Console
from cronstream.console.audits import Audits
from cronstream.console.installed import Installed, Watching
from cronstream.console.live import LiveOutput
from cronstream.console.output import Outputs
from cronstream.console.pasts import Pasts
from cronstream.console.store import Store
from cronstream.console.visitors import Visitors
from cronstream.core.health.presence import Overdue, Presence, Shared
from cronstream.core.health.roll import Seen
from cronstream.core.schedule.schedule import compile_schedule
from cronstream.core.trust.judging import TRUSTED
from cronstream.core.wire.codec import encode_entries
from cronstream.core.wire.control import Control
from cronstream.core.wire.entries import (
    Claimed,
    Finished,
    Forwarded,
    Settled,
    Skip,
    Started,
    Withdrawal,
)
from cronstream.core.wire.enumerations import (
    Cause,
    ControlAction,
    Ending,
    Outcome,
    Overlap,
    SkipReason,
    Verdict,
)
from cronstream.core.wire.naming import RoleKind
from cronstream.core.wire.runs import Discarded, Job, Run, Then
from cronstream.settings import Settings
from tests.builders import NAMES, at
from tests.cli.fake_broker import PARTITIONS, FakeBroker, FakePublisher, FakeReader
from tests.console.readers import EndingReader, OverError, project

#: A quiet quarter past two in the afternoon.
NOW: Final = at(2 * 3600 + 17 * 60 + 23)
#: What a name, a description or an output may be, and what must not come of it.
HOSTILE: Final = "<script src=//evil.example></script>\"'><img onerror=alert(1)>"
_SHOWN: Final = timedelta(minutes=66)
_SHARED: Final = Shared(partitions=PARTITIONS, shards=2, look_ahead_s=30, lease_s=6, fence_s=4.5)
_SYNCED: Final = (
    "\x1b[1msync\x1b[0m s3://invoices -> /srv/archive\n"
    "\x1b[32m✓\x1b[0m 1 214 files compared, \x1b[36m37\x1b[0m new\n"
    "\x1b[33mwarning\x1b[0m: 2 files are empty\n"
    "\x1b[32m✓\x1b[0m done in 8.4 s\n"
)
FAILED: Final = (
    "\x1b[1mdeliver\x1b[0m: 52 messages are waiting\n"
    "\x1b[31merror\x1b[0m: mail.example.org:587: \x1b[1mconnection refused\x1b[0m\n"
    "\x1b[2mtried 3 addresses, the last was 203.0.113.9\x1b[0m\n"
)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What becomes of the runs of a job: seconds that one takes, and which fail, of ten.

    Attributes:
        bad: Numbers, of ten, of runs that fail and are discarded after their last attempt.
        flaky: Likewise of those that succeed when they are tried again.
    """

    seconds: float
    bad: tuple[int, ...] = ()
    flaky: tuple[int, ...] = ()
    output: str = "ok\n"
    is_long: bool = False


JOBS: Final = (
    ("archive-invoices", "*/10 * * * *", "billing", Behaviour(8.4, output=_SYNCED)),
    ("billing-close", "0 18 * * 1-5", "billing", Behaviour(40)),
    ("cache-warm", "*/2 * * * *", "web", Behaviour(1.2)),
    ("certificates-renew", "17 */6 * * *", "web", Behaviour(4)),
    ("daily-report", "30 6 * * *", "reports", Behaviour(95)),
    ("database-backup", "*/20 * * * *", "storage", Behaviour(210, flaky=(2,))),
    ("database-vacuum", "5 3 * * 0", "storage", Behaviour(900)),
    ("deliver-mail", "*/5 * * * *", "mail", Behaviour(2.8, bad=(3, 4, 9), output=FAILED)),
    ("dns-check", "* * * * *", "web", Behaviour(0.3)),
    ("exchange-rates", "@hourly", "billing", Behaviour(1.9)),
    ("export-warehouse", "*/15 * * * *", "reports", Behaviour(70, is_long=True)),
    ("feed-import", "*/3 * * * *", "web", Behaviour(5.6, flaky=(1, 6))),
    ("fraud-scan", "*/5 * * * *", "billing", Behaviour(11)),
    ("image-resize", "*/4 * * * *", "web", Behaviour(14)),
    ("index-products", "*/15 * * * *", "web", Behaviour(47)),
    ("invoice-reminders", "0 9 * * 1-5", "mail", Behaviour(20)),
    ("logs-rotate", "0 * * * *", "storage", Behaviour(2)),
    ("metrics-rollup", "* * * * *", "reports", Behaviour(0.9)),
    ("newsletter", "0 10 * * 2", "mail", Behaviour(600)),
    ("orders-to-erp", "*/5 * * * *", "billing", Behaviour(3.3, bad=(7,))),
    ("payment-retry", "*/10 * * * *", "billing", Behaviour(6)),
    ("search-synonyms", "20 4 * * *", "web", Behaviour(9)),
    ("session-expire", "*/2 * * * *", "web", Behaviour(0.5)),
    ("stock-levels", "*/5 * * * *", "reports", Behaviour(7.7)),
    ("storage-scrub", "*/30 * * * *", "storage", Behaviour(130)),
    ("tax-rates", "10 2 1 * *", "billing", Behaviour(2)),
    ("thumbnails-clean", "45 * * * *", "storage", Behaviour(16)),
    ("warehouse-load", "0 0 1 1 *", "reports", Behaviour(50)),
    (HOSTILE, "*/20 * * * *", "web", Behaviour(1, output=HOSTILE + "\x1b[31m" + HOSTILE)),
)
_ABOUT: Final = {
    "deliver-mail": "Sends what waits in the outbox; on call: mail team",
    "database-backup": "Nightly and every twenty minutes, to the other site",
    "export-warehouse": "Writes yesterday's orders for the warehouse",
    HOSTILE: HOSTILE,
}


def jobs() -> list[Job]:
    """Return the jobs that are in force."""
    found = [
        a_job(name, schedule, cluster, description=_ABOUT.get(name))
        for name, schedule, cluster, _ in JOBS
    ]
    load = next(job for job in found if job.name == "warehouse-load")
    report = a_job("warehouse-report", "0 0 1 1 *", "reports")
    load = load.derive(then=[Then(on=Ending.SUCCEEDED, job=report)])
    pause = Control(
        action=ControlAction.PAUSE,
        cluster="mail",
        job="newsletter",
        by="ada@node1",
        at=NOW - timedelta(hours=3),
        reason="the new template is not approved",
    )
    held: dict[str, dict[str, Any]] = {
        "newsletter": {"control": pause},
        "search-synonyms": {"enabled": False},
    }
    found = [job.derive(**held.get(job.name, {})) for job in found]
    follow = {"export-warehouse": [Then(on=Ending.SUCCEEDED, job=load)]}
    return [job.derive(then=follow[job.name]) if job.name in follow else job for job in found]


def a_job(name: str, schedule: str, cluster: str, **fields: Any) -> Job:
    return Job(
        name=name,
        cluster=cluster,
        schedule=schedule,
        timezone="Europe/Berlin",
        command=["/usr/local/bin/run", name],
        max_attempts=3,
        overlap=Overlap.SKIP,
        by="node1.s1 4f2a91c0d3b7",
        file="teams/shop.yaml",
        line=12,
        **fields,
    )


def a_broker(found: list[Job]) -> FakeBroker:
    """Return a broker with an hour of runs, and the revisions of the jobs."""
    broker = FakeBroker(*sorted({job.cluster for job in found}))
    put_in_force(broker, found)
    behaviours = {name: how for name, _, _, how in JOBS}
    for job in found:
        begin = NOW - timedelta(days=2)
        of_file = Withdrawal(job=job.name, revision=1, effective_from=begin)
        broker.log(job.name, of_file, when=begin, cluster=job.cluster)
        for number, due in enumerate(_past(job)):
            _play(broker, job, behaviours[job.name], number, due)
    span = {"from_at": NOW - timedelta(minutes=41), "to_at": NOW - timedelta(minutes=37)}
    skip = Skip(job="tax-rates", revision=1, reason=SkipReason.MISSED, count=5, **span)
    broker.log("tax-rates", skip, when=NOW - timedelta(minutes=31), cluster="billing")
    return broker


def put_in_force(broker: FakeBroker, found: list[Job]) -> None:
    """Put the jobs' revisions on the topic of jobs."""
    broker.create(NAMES.jobs, PARTITIONS)
    for job in found:
        _put_in_force(broker, job.derive(by="node1.s1 77d09be1f5aa"), NOW - timedelta(days=9))
    changed = {job.name: job for job in found}
    for name, minutes, fields in (
        ("newsletter", 2_900, {"schedule": "0 10 * * 2-4", "description": "To all customers"}),
        ("newsletter", 2_870, {"description": "To all customers"}),
        ("warehouse-load", 1_500, {"env": {"PGHOST": "db2"}, "timeout_s": 900}),
        ("deliver-mail", 64, {"max_attempts": 5, "timeout_s": 60}),
        ("deliver-mail", 25, {"timeout_s": 60}),
    ):
        job = changed[name].derive(**fields)
        _put_in_force(broker, job, NOW - timedelta(minutes=minutes))


def _put_in_force(broker: FakeBroker, job: Job, when: datetime) -> None:
    broker.job(job.derive(effective_from=when), when)


def _past(job: Job) -> Iterator[datetime]:
    schedule = compile_schedule(job.schedule, job.timezone)
    return schedule.between(NOW - _SHOWN, NOW)


def _play(broker: FakeBroker, job: Job, how: Behaviour, number: int, due: datetime) -> None:
    """Put on the logs what becomes of one run."""
    first = Run(
        job=job.name,
        cluster=job.cluster,
        scheduled_at=due,
        not_before=due,
        command=job.command,
        revision=1,
        max_attempts=job.max_attempts,
        attempts_left=job.max_attempts,
    )
    began = due + timedelta(seconds=0.04 + number % 7 * 0.013)
    seconds = how.seconds * (0.8 + number * 7 % 10 / 20)
    if how.is_long:
        seconds *= 12 if due == max(_past(job)) else 1
    is_bad, is_flaky = number % 10 in how.bad, number % 10 in how.flaky
    stage = _Stage(broker, job.cluster, how.output)
    claim = stage.begin(first, began)
    over = began + timedelta(seconds=seconds)
    if over > NOW:
        return
    end = stage.end(first, claim, over, failed=is_bad or is_flaky)
    if is_bad or is_flaky:
        _play_later(stage, first, over, end, is_bad=is_bad)
    if is_bad and job.name == "deliver-mail" and number % 10 == 3:
        again = first.derive(cause=Cause.REPLAY, number=1, revision=None, not_before=over)
        later = over + timedelta(minutes=3)
        stage.end(again, stage.begin(again, later), later + timedelta(seconds=2), failed=False)


def _play_later(stage: "_Stage", first: Run, over: datetime, end: int, *, is_bad: bool) -> None:
    """Put there what becomes of a run that has failed once."""
    run, version = first, end
    for attempt in range(2, first.max_attempts + 1 if is_bad else 3):
        wait = timedelta(seconds=9 * attempt)
        run = first.derive(
            attempt=attempt, attempts_left=first.max_attempts + 1 - attempt, not_before=over + wait
        )
        stage.retry(run, run.not_before, over)
        over = run.not_before + timedelta(seconds=3)
        stage.retry_end(run, over, failed=is_bad)
    forwarded = Forwarded(run=first.id, version=version)
    stage.broker.log(first.job, forwarded, when=over, cluster=stage.cluster)
    verdict = Verdict.DISCARDED if is_bad else Verdict.SUCCEEDED
    settled = Settled(run=first.id, attempt=run.attempt, verdict=verdict)
    stage.broker.log(first.job, settled, when=over, cluster=stage.cluster)
    if is_bad:
        most = first.max_attempts
        reason = f"attempt {run.attempt} failed (exit status 75), {most} of {most} failures"
        stage.broker.discard(Discarded(run=run, reason=reason, discarded_at=over))


@dataclass(slots=True)
class _Stage:
    """Where runs are played: the logs of a cluster."""

    broker: FakeBroker
    cluster: str
    output: str
    last: int = 0
    began: datetime = NOW

    def begin(self, run: Run, began: datetime) -> int:
        """Have a run published, claimed and started; return its version."""
        self.began = began
        version = self.broker.log(
            run.job, run, when=began - timedelta(seconds=20), cluster=self.cluster
        )
        self._log(run, began, *_begun(run, version, began))
        return version

    def end(self, run: Run, claim: int, over: datetime, *, failed: bool) -> int:
        """Have it end; return the offset of that."""
        entry = _ended(run, claim, (self.began, over), failed=failed, output=self.output)
        return self.broker.log(run.job, entry, when=over, cluster=self.cluster)

    def retry(self, run: Run, began: datetime, published: datetime) -> None:
        """Have a later attempt begin, on the retry log."""
        self.began = began
        topic = NAMES.retry_log(self.cluster)
        self.last = self._put(topic, run, published, run)
        self._put(topic, run, began, *_begun(run, self.last, began))

    def retry_end(self, run: Run, over: datetime, *, failed: bool) -> None:
        """Have it end."""
        entry = _ended(run, self.last, (self.began, over), failed=failed, output=self.output)
        self._put(NAMES.retry_log(self.cluster), run, over, entry)

    def _log(self, run: Run, when: datetime, *entries: Any) -> None:
        self.broker.log(run.job, *entries, when=when, cluster=self.cluster)

    def _put(self, topic: str, run: Run, when: datetime, *entries: Any) -> int:
        return self.broker.put(topic, run.job, encode_entries(entries), when)[1]


def _begun(run: Run, version: int, began: datetime) -> tuple[Claimed, Started]:
    claimed = Claimed(run=run.id, version=version, worker="node2.w1", number=1)
    started = Started(run=run.id, claim=version, worker="node2.w1", started_at=began, pid=4711)
    return claimed, started


def _ended(
    run: Run, claim: int, span: tuple[datetime, datetime], *, failed: bool, output: str
) -> Finished:
    began, over = span
    return Finished(
        run=run.id,
        claim=claim,
        worker="node2.w1",
        outcome=Outcome.FAILED if failed else Outcome.SUCCEEDED,
        started_at=began,
        ended_at=over,
        exit_status=75 if failed else 0,
        head=output,
    )


def processes(found: list[Job]) -> tuple[Seen, ...]:
    """Return who is there."""
    started = NOW - timedelta(days=3, hours=4)
    clusters = sorted({job.cluster for job in found})
    told = Presence(
        name="node1.s1",
        role=RoleKind.SCHEDULER,
        version="0.1.0",
        level=4,
        shared=_SHARED,
        since=started,
        owns="0",
        crontab="4f2a91c0d3b7",
        crontab_file="/etc/cronstream/crontab.yaml",
        crontab_jobs=len(found),
    )
    problems = ["line 41, column 5: job newsletter: schedule '0 10 * * 8' has no weekday 8"]
    there = [told, _like(told, name="node2.s2", owns="1", crontab_problems=problems)]
    overdue = Overdue(job="billing-close", since=started, within_s=86_400, has_succeeded=False)
    for number, cluster in enumerate(clusters):
        worker = _like(
            told, role=RoleKind.WORKER, cluster=cluster, slots=8, crontab="", waiting=number % 2
        )
        there += [
            _like(
                worker,
                name=f"node{n}.w{number}",
                running=(number * 3 + n) % 5,
                owns=f"{n - 2}",
                overdue=[overdue] if cluster == "billing" and n == 2 else [],
                clock_s=0.002 * n,
            )
            for n in (2, 3)
        ]
        if cluster != "storage":
            name = f"node3.r{number}"
            there.append(_like(worker, name=name, role=RoleKind.RETRY_WORKER, slots=4, owns="0-2"))
    return tuple(Seen(who, NOW, 0, 1) for who in there)


def _like(who: Presence, **fields: Any) -> Presence:
    return who.model_copy(update=fields)


async def a_console(folder: Path, *, acts: bool = True) -> Console:
    """Return a console of all that, whose pages have buttons, or have none."""
    found = jobs()
    broker, store = a_broker(found), Store(folder / "console.sqlite")
    projection = await project(broker, store, at_once=200)
    watching = Watching(lambda _: TRUSTED, Pasts())
    with suppress(OverError):
        await watching.pasts.follow(EndingReader(broker))
    watching.found = Installed({job.name: job for job in found}, processes(found), NOW)
    await watching.ahead.follow(watching.found.jobs, NOW)

    def reader() -> FakeReader:
        return FakeReader(broker)

    live = LiveOutput(reader, lambda: FakePublisher(broker, Settings()))
    asking = Asking(Outputs(reader), live, Audits(store, reader, lambda _: True))
    actions = Actions(
        Acting(Settings(), watching, broker.connections), Visitors(Settings(), has_token=acts)
    )
    return Console(store, projection, watching, asking, actions)
