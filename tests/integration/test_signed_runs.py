"""Nothing is run that was not asked for by somebody who may ask, on a real Kafka."""

import asyncio
import base64
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cronstream import clock
from cronstream.core.planning.chain import number_after
from cronstream.core.trust.keys import TrustedKey
from cronstream.core.wire.codec import encode
from cronstream.core.wire.entries import Level, Withdrawal
from cronstream.core.wire.enumerations import Cause, Verdict
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.runs import Job, Previous, Run
from cronstream.history.discards import DiscardedRun, discarded_runs
from cronstream.history.scope import Scope
from cronstream.settings import Settings
from cronstream.topology.publish import Publisher, partition_of
from cronstream.topology.reading import Reader
from cronstream.trust.signer import SigningKey, new_key
from tests.builders import NAMES
from tests.core.trust.test_judging import ALIKE, ALL_SET, OTHERS, UNSIGNED
from tests.integration.command import run_command
from tests.integration.conftest import StartWorker, a_broker
from tests.integration.hands import until
from tests.integration.truth import Truth, a_name
from tests.signing import trusted

pytestmark = pytest.mark.integration

CLUSTER = "cluster-a"


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Kafka of its own: jobs are forged on it."""
    with a_broker(tmp_path_factory.mktemp("signed")) as address:
        yield address


class Keys:
    """Keys in files, and the file of those that are trusted."""

    def __init__(self, folder: Path) -> None:
        self._folder, self.file = folder, folder / "trusted"
        self.scheduler, self.alice = self.make("scheduler"), self.make("alice")
        self.others = self.make("others")
        self.lines = [
            trusted(self.scheduler, "schedule", name="scheduler"),
            trusted(self.alice, "run-now", "replay", clusters=frozenset({CLUSTER}), name="alice"),
            trusted(self.others, clusters=frozenset({"cluster-b"}), name="others"),
        ]
        self.write()

    def path(self, name: str) -> Path:
        return self._folder / f"{name}.key"

    def make(self, name: str) -> SigningKey:
        return new_key(self.path(name))

    def write(self, *more: TrustedKey) -> None:
        new = self.file.with_suffix(".new")
        new.write_text("".join(f"{key.line()}\n" for key in (*self.lines, *more)))
        new.rename(self.file)

    @property
    def required(self) -> dict[str, str]:
        return {"CRONSTREAM_TRUSTED_KEYS": str(self.file), "CRONSTREAM_SIGNATURES": "require"}

    def signing(self, name: str) -> dict[str, str]:
        return {**self.required, "CRONSTREAM_SIGNING_KEY": str(self.path(name))}


class Hand:
    """Somebody who may write to every topic."""

    def __init__(self, publisher: Publisher, settings: Settings) -> None:
        self._publisher, self.settings = publisher, settings

    async def put(self, topic: str, run: Run) -> None:
        await self._publisher.publish(topic, run.job, run)

    async def begin(self, *jobs: str) -> None:
        """Raise the logs, and put jobs in force at revision 1, as a scheduler does."""
        since = clock.now() - timedelta(days=1)
        for partition in range(self.settings.partitions):
            for log in (NAMES.log(CLUSTER), NAMES.retry_log(CLUSTER)):
                await self._publisher.append(log, partition, Level(level=LEVEL))
        for job in jobs:
            word = Withdrawal(job=job, revision=1, effective_from=since)
            await self._publisher.publish(NAMES.log(CLUSTER), job, word)


@pytest.fixture
async def hand(broker: str) -> Any:
    settings = Settings(broker=f"kafka://{broker}")
    publisher = Publisher(settings)
    await publisher.start()
    yield Hand(publisher, settings)
    await publisher.stop()


def asked(job: str, command: str, number: int, **fields: Any) -> Run:
    """Return a run that a person asks for now."""
    now = clock.now()
    due = now.replace(microsecond=0)
    values: dict[str, Any] = {"max_attempts": 3, "attempts_left": 3, "as_of": now, **fields}
    return Run(
        job=job,
        cluster=CLUSTER,
        scheduled_at=due,
        not_before=due,
        command=command,
        cause=Cause.RUN_NOW,
        number=number,
        **values,
    )


async def discards(settings: Settings, runs: set[str]) -> dict[str, DiscardedRun]:
    """Return what was discarded of some runs, once all of them were."""
    found: dict[str, DiscardedRun] = {}
    async with asyncio.timeout(90), Reader(settings) as reader:
        while found.keys() < runs:
            discarded = await discarded_runs(reader, Scope(), run_ids=frozenset(runs))
            found = {one.run.id: one for one in discarded}
            await asyncio.sleep(0.3)
    return found


def forgeries(keys: Keys, command: str) -> dict[str, Run]:
    """Return runs that nobody may have, by what is wrong with each."""
    good = keys.alice.sign(asked("forged", command, 1))
    found = {
        "it is not signed": asked("unsigned", command, 1),
        "its signature by key": good.derive(number=2),
        "may not sign what has the cause run-now": keys.scheduler.sign(asked("sch", command, 3)),
        "may not sign for cluster-a": keys.others.sign(asked("other", command, 4)),
        "before its due time": good.derive(not_before=good.scheduled_at - timedelta(hours=1)),
    }
    return {why: run.derive(job=run.job) for why, run in found.items()}


def flipped(keys: Keys, command: str) -> list[Run]:
    """Return a run for each field that is signed, with that field changed since."""
    found, values = [], {name: getattr(ALL_SET, name) for name in ALIKE}
    fields = sorted(Run.fields.keys() - UNSIGNED - {"cluster", "revision", "command"})
    for number, field in enumerate(fields, 100):
        # Of the others nothing is to follow, however they end.
        base = values if field == "then" else {**values, "then": None}
        signed = keys.alice.sign(asked(f"flipped-{number}", command, number, **base))
        early = signed.scheduled_at - timedelta(seconds=9)
        other = {"as_of": clock.now(), "scheduled_at": early}
        found.append(signed.derive(**{field: {**OTHERS, **other}[field]}))
    changed = keys.alice.sign(asked("flipped-command", "true", 99)).derive(command=command)
    return [*found, changed]


async def test_what_was_forged_or_changed_is_not_run_and_is_seen(
    start_worker: StartWorker, broker: str, hand: Hand, tmp_path: Path
) -> None:
    keys, truth = Keys(tmp_path), Truth(tmp_path)
    crontab = f"version: 1\nclusters: [{CLUSTER}]\njobs: []\n"
    workers = await asyncio.gather(
        start_worker("--cluster", CLUSTER, crontab=crontab, variables=keys.required),
        start_worker("--cluster", CLUSTER, "--retry", variables=keys.required),
    )
    await hand.begin()
    log = NAMES.log(CLUSTER)
    bad = forgeries(keys, truth.command)
    wrong = [*bad.values(), *flipped(keys, truth.command)]
    good = keys.alice.sign(asked("good", truth.command, 1))

    for run in wrong:
        await hand.put(log, run)
    for _ in range(3):
        await hand.put(log, good)

    found = await discards(hand.settings, {run.id for run in wrong})
    for why, run in bad.items():
        reason = found[run.id].reason
        assert reason.startswith("attempt 1 refused (")
        assert why in reason
    others = {run.id: found[run.id].reason for run in wrong[len(bad) :]}
    assert {run: why for run, why in others.items() if "signature by key" not in why} == {}
    await truth.wait(1)
    assert [line.run for line in truth.lines()] == [good.id]
    await _a_replay_is_no_way_around(broker, keys, wrong[0])
    said = [line for line in workers[0].lines if " is not made: " in line]
    assert len(said) >= len(wrong)


async def _a_replay_is_no_way_around(broker: str, keys: Keys, forged: Run) -> None:
    """Who replays signs: so what was forged is named, and left out, before."""
    signing = keys.signing("alice")
    status, _, err = await run_command(broker, "replay", forged.id, variables=signing)
    assert status == 1
    assert f"run {forged.id}: it is not signed, so it may be anybody's: nothing was replayed" in err
    by_job = ("replay", "--job", forged.job, "--dry-run")
    status, out, err = await run_command(broker, *by_job, variables=signing)
    assert (status, out) == (0, ""), err
    assert "left out: 1 whose signature does not hold" in err
    status, out, err = await run_command(broker, *by_job, "--distrusted", variables=signing)
    assert (status, out) == (0, f"{forged.id}\n"), err


async def test_a_retry_log_gives_nobody_more_attempts(
    start_worker: StartWorker, hand: Hand, tmp_path: Path
) -> None:
    keys, truth = Keys(tmp_path), Truth(tmp_path)
    crontab = f"version: 1\nclusters: [{CLUSTER}]\njobs: []\n"
    worker = await start_worker(
        "--cluster", CLUSTER, "--retry", crontab=crontab, variables=keys.required
    )
    await hand.begin()
    run = keys.alice.sign(asked(a_name("again"), truth.command, 1))

    await hand.put(NAMES.retry_log(CLUSTER), run.derive(attempt=2, retry_as_of=clock.now()))

    await worker.said("more attempts left than their failures leave")
    last = run.derive(attempt=2, attempts_left=1, retry_as_of=clock.now())
    await hand.put(NAMES.retry_log(CLUSTER), last)
    await truth.wait(1)
    assert [(line.run, line.attempt) for line in truth.lines()] == [(run.id, 2)]


async def test_a_run_waits_for_a_key_that_is_not_trusted_yet_and_for_one_that_is_no_longer(
    start_worker: StartWorker, broker: str, hand: Hand, tmp_path: Path
) -> None:
    keys, truth = Keys(tmp_path), Truth(tmp_path)
    crontab = f"version: 1\nclusters: [{CLUSTER}]\njobs: []\n"
    worker = await start_worker("--cluster", CLUSTER, crontab=crontab, variables=keys.required)
    await hand.begin()
    new, job = keys.make("new"), a_name("rotated")
    run = new.sign(asked(job, truth.command, 1))

    await hand.put(NAMES.log(CLUSTER), run)
    await worker.said(f"run {run.id} waits: its key '{new.id}' is not among the trusted ones")
    assert not truth.lines()
    keys.write(trusted(new, name="new"))
    await truth.wait(1)

    keys.write()
    await worker.said("3 keys are trusted from now on")
    after = new.sign(asked(job, truth.command, 2))
    await hand.put(NAMES.log(CLUSTER), after)
    done = keys.alice.sign(asked(job, truth.command, 3))
    await hand.put(NAMES.log(CLUSTER), done)
    await truth.wait(2)

    assert [line.run for line in truth.lines()] == [run.id, done.id]
    keys.file.write_text("nonsense\n")  # What was trusted before stays so.
    await worker.said("line 1: write ID PUBLIC-KEY CAUSES CLUSTERS", since=0)
    last = keys.alice.sign(asked(job, truth.command, 4))
    await hand.put(NAMES.log(CLUSTER), last)
    await truth.wait(3)
    assert truth.lines()[-1].run == last.id
    keys.write()
    status, out, _ = await run_command(broker, "keys", "check", variables=keys.required)
    assert status == 1
    assert f"run {after.id}: its key" in out
    status, _, err = await run_command(broker, "cancel", after.id)
    assert status == 0, err


def a_forged_job(job: str, command: str) -> Job:
    return Job(
        name=job,
        cluster=CLUSTER,
        schedule="@every 1s",
        timezone="UTC",
        command=command,
        effective_from=clock.now() - timedelta(seconds=5),
        signature=f"{'0' * 16}:{base64.b64encode(bytes(64)).decode()}",
    )


async def test_jobs_and_their_runs_are_signed_from_the_crontab_to_the_command(
    start_worker: StartWorker, broker: str, hand: Hand, tmp_path: Path
) -> None:
    keys, truth, job = Keys(tmp_path), Truth(tmp_path), a_name("signed")
    crontab = f"""
version: 1
clusters: [{CLUSTER}]
jobs:
  - {{name: {job}, cluster: {CLUSTER}, schedule: "@every 1s", command: '{truth.command}'}}
"""
    scheduler, _ = await asyncio.gather(
        start_worker(crontab=crontab, variables=keys.signing("scheduler")),
        start_worker("--cluster", CLUSTER, variables=keys.required),
    )
    await truth.wait(3, job)
    bad = tmp_path / "bad"

    for name in (job, "stranger"):
        raw = encode(a_forged_job(name, f"touch {bad}"))
        place = partition_of(name, hand.settings.shards)
        await hand._publisher.put_raw(NAMES.jobs, place, raw, {})

    await scheduler.said(f"a definition of job {job} on {NAMES.jobs} does not count")
    await scheduler.said("2 definitions are said again")
    count = len(truth.lines(job))
    await truth.wait(count + 5, job)
    assert not bad.exists()

    _, out, err = await run_command(broker, "keys", "check", variables=keys.required)
    assert job not in out, err
    status, _, err = await run_command(broker, "run-now", job, variables=keys.required)
    assert status == 1
    assert "runs only what is signed (CRONSTREAM_SIGNATURES=require): nothing was published" in err
    status, out, err = await run_command(broker, "run-now", job, variables=keys.signing("alice"))
    assert status == 0, err
    await until(lambda: any(line.run == out.strip() for line in truth.lines(job)))
    status, _, err = await run_command(broker, "run-now", job, variables=keys.signing("others"))
    assert status == 1
    assert "may not sign for cluster-a; nothing was published" in err


async def test_what_follows_and_what_is_backfilled_is_signed_and_nothing_forged_behind_it_starts(
    start_worker: StartWorker, broker: str, hand: Hand, tmp_path: Path
) -> None:
    keys, truth = Keys(tmp_path), Truth(tmp_path)
    keys.lines.append(trusted(keys.make("carol"), "backfill", name="carol"))
    keys.write()
    job, after, bad = a_name("first"), a_name("after"), tmp_path / "bad"
    crontab = f"""
version: 1
clusters: [{CLUSTER}]
defaults: {{cluster: {CLUSTER}}}
jobs:
  - {{name: {job}, schedule: "@every 1s", command: '{truth.command}', then: {after}}}
  - {{name: {after}, command: '{truth.command}'}}
"""
    await asyncio.gather(
        start_worker(crontab=crontab, variables=keys.signing("scheduler")),
        start_worker("--cluster", CLUSTER, variables=keys.required),
    )
    line = (await truth.wait(3, after))[-1]
    # On the log, and on the topic from which schedulers hand over what follows elsewhere.
    for number, topic in enumerate((NAMES.log(CLUSTER), NAMES.chains)):
        wrong = _forged_behind(keys, line.run, f"touch {bad}", 10 * number)
        for run in wrong.values():
            await hand.put(topic, run)
        found = await discards(hand.settings, {run.id for run in wrong.values()})
        for why, run in wrong.items():
            assert why in found[run.id].reason
    backfill = ("backfill", job, "--again", "--from", "4s", "--to", "1s", "--rate", "10/s")
    status, _, err = await run_command(broker, *backfill, variables=keys.signing("alice"))
    assert status == 1
    assert "may not sign what has the cause backfill" in err
    status, out, err = await run_command(broker, *backfill, variables=keys.signing("carol"))
    assert status == 0, err
    assert out.split()
    for name in out.split():
        follower = f"{after}@{name.split('@')[1].split('!')[0]}!chain-{number_after(name)}"
        await _are_made_once(truth, name, follower)
    assert not bad.exists()


async def _are_made_once(truth: Truth, *names: str) -> None:
    def made() -> Counter[str]:
        return Counter(line.run for line in truth.lines())

    await until(lambda: all(made()[name] for name in names))
    assert [made()[name] for name in names] == [1] * len(names)


def _forged_behind(keys: Keys, follower: str, command: str, number: int) -> dict[str, Run]:
    """Return runs that are to follow another, but may not be, by what is wrong."""
    job, _, rest = follower.partition("@")
    now, number = clock.now(), number + int(rest.rpartition("-")[2])
    due = datetime.fromisoformat(rest.partition("!")[0])
    previous = Previous("nobody", Verdict.SUCCEEDED, 1, cluster="elsewhere")
    base = Run(
        job=job,
        cluster=CLUSTER,
        scheduled_at=due,
        not_before=now,
        command=command,
        cause=Cause.CHAIN,
        previous=previous,
        as_of=now,
    )
    signed = keys.scheduler.sign(base.derive(number=number + 1, command="true"))
    return {
        "it is not signed": base.derive(number=number + 2),
        "its signature by key": signed.derive(command=command),
        "may not sign for cluster-a": keys.others.sign(base.derive(number=number + 3)),
    }
