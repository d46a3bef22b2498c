"""The commands that read the ledgers and publish runs, on a real Kafka with entries by hand."""

import asyncio
import json
import logging
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, Self

import pytest
from aiokafka.structs import TopicPartition

from cronstream import clock
from cronstream.broker.embedded import EmbeddedBroker
from cronstream.broker.guard import Guard
from cronstream.broker.ports import free_port
from cronstream.core.wire.entries import Claimed, Finished, Forwarded, Settled, Started, Withdrawal
from cronstream.core.wire.enumerations import Cause, Outcome, Verdict
from cronstream.core.wire.runs import Discarded, Job, Run
from cronstream.settings import Settings, settings
from cronstream.topology.log_message import LogMessage
from cronstream.topology.publish import Publisher, partition_of
from cronstream.topology.reading import Reader
from cronstream.topology.topics import cluster_topics, ensure_topics, installation_topics
from tests.builders import NAMES
from tests.cli.shown import shown_commands
from tests.integration.command import MAIN, run_command
from tests.integration.truth import a_name

pytestmark = pytest.mark.integration

_LIMIT_S = 60.0
#: Tests that run in the background have been told to ignore it, and so what they start.
_HEEDS_CTRL_C = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
#: Where the docs say that Kafka is, and what does not end by itself.
_OF_ANOTHER_KAFKA = ("--broker", "kafka://kafka-1.example.org:9092", "--follow")


class Ledger:
    """The logs of one cluster, written by hand as its scheduler and workers would."""

    def __init__(self, settings: Settings, publisher: Publisher, cluster: str) -> None:
        self.settings, self._publisher, self.cluster = settings, publisher, cluster

    async def put(self, topic: str, job: str, *records: Any) -> int:
        """Put records on the job's partition, one after another; return the last one's offset."""
        count = self.settings.shards if topic == NAMES.jobs else self.settings.partitions
        offset = -1
        for record in records:
            offset = (await self._publisher.append(topic, partition_of(job, count), record)).offset
        return offset

    async def make(self, topic: str, run: Run, outcome: Outcome, status: int) -> int:
        """Make an attempt at `run`; return the offset at which it ended."""
        now = clock.now()
        version = await self.put(topic, run.job, run)
        claim = Claimed(run=run.id, version=version, worker="w.1", number=1)
        started = Started(run=run.id, claim=version, worker="w.1", started_at=now, pid=1)
        finished = Finished(
            run=run.id,
            claim=version,
            worker="w.1",
            outcome=outcome,
            started_at=now,
            ended_at=now + timedelta(seconds=1),
            exit_status=status,
            head=f"attempt {run.attempt}\n",
        )
        return await self.put(topic, run.job, claim, started, finished)


@pytest.fixture
async def ledger(broker: str) -> AsyncIterator[Ledger]:
    settings = Settings(broker=f"kafka://{broker}")
    cluster = a_name("commands")
    await ensure_topics(
        [*installation_topics(settings), *cluster_topics(cluster, settings)], settings
    )
    publisher = Publisher(settings)
    await publisher.start()
    try:
        yield Ledger(settings, publisher, cluster)
    finally:
        await publisher.stop()


async def test_who_leads_many_topics_is_asked_once_and_nothing_waits_for_it(
    ledger: Ledger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "aiokafka.consumer.fetcher")
    topics = [topic(ledger.cluster) for topic in (NAMES.log, NAMES.retry_log, NAMES.discarded)]
    async with Reader(ledger.settings) as reader:
        spans = await reader.spans([TopicPartition(topic, 0) for topic in topics], None)
    assert spans == {TopicPartition(topic, 0): (0, 0) for topic in topics}
    assert not [line for line in caplog.messages if "wait for metadata refresh" in line]


async def command(ledger: Ledger, *arguments: str) -> tuple[int, str, str]:
    return await run_command(ledger.settings.broker, *arguments)


async def lines(ledger: Ledger, *arguments: str) -> list[dict[str, Any]]:
    status, out, err = await command(ledger, *arguments, "--json")
    assert status == 0, err
    return [json.loads(line) for line in out.splitlines()]


async def announced(ledger: Ledger, job: str, **fields: Any) -> Run:
    """Put a job in force; return the first of its runs, which is not yet published."""
    since = clock.now() - timedelta(days=1)
    due = clock.now().replace(microsecond=0)
    entry = Withdrawal(job=job, revision=3, effective_from=since)
    await ledger.put(NAMES.log(ledger.cluster), job, entry)
    return Run(
        job=job,
        cluster=ledger.cluster,
        scheduled_at=due,
        not_before=due,
        command="true",
        revision=3,
        **fields,
    )


async def discarded_run(ledger: Ledger) -> Run:
    """Let a run fail twice, as two kinds of workers do, and be discarded."""
    run = await announced(ledger, a_name("doomed"), max_attempts=2, attempts_left=2)
    log, retry_log = NAMES.log(ledger.cluster), NAMES.retry_log(ledger.cluster)
    decided = await ledger.make(log, run, Outcome.FAILED, 3)
    second = run.derive(attempt=2, attempts_left=1, as_of=clock.now())
    decided_again = await ledger.make(retry_log, second, Outcome.FAILED, 4)
    record = Discarded(run=second, reason="2 of 2 failures", discarded_at=clock.now())
    await ledger.put(log, run.job, Forwarded(run=run.id, version=decided))
    await ledger.put(NAMES.discarded(ledger.cluster), run.job, record)
    await ledger.put(log, run.job, Settled(run=run.id, verdict=Verdict.DISCARDED, attempt=2))
    await ledger.put(retry_log, run.job, Forwarded(run=run.id, version=decided_again))
    return run


async def test_a_discarded_run_is_listed_shown_and_replayed_once(ledger: Ledger) -> None:
    run = await discarded_run(ledger)
    chosen = ("--cluster", ledger.cluster)

    [row] = await lines(ledger, "runs", *chosen)
    assert (row["run"], row["state"], row["attempt"]) == (run.id, "discarded", 2)
    [shown] = await lines(ledger, "show", run.id)
    assert [(a["role"], a["exit_status"], a["output_head"]) for a in shown["attempts"]] == [
        ("first", 3, "attempt 1\n"),
        ("retry", 4, "attempt 2\n"),
    ]
    assert shown["reason"] == "2 of 2 failures"

    [replayed] = await lines(ledger, "replay", "--yes", *chosen)
    assert replayed["replays"] == run.id
    [listed] = await lines(ledger, "discarded", *chosen)
    assert (listed["run"], listed["replays"]) == (run.id, [replayed["run"]])
    assert await lines(ledger, "replay", "--yes", *chosen) == []
    [again] = await lines(ledger, "runs", "--state", "queued", *chosen)
    assert (again["run"], again["cause"]) == (replayed["run"], "replay")


async def test_what_the_docs_show_about_runs_answers_as_it_is_shown(ledger: Ledger) -> None:
    placed = {"CLUSTER": ledger.cluster}
    typed = {
        tuple(placed.get(word, word) for word in shown.words[1:] if word not in _OF_ANOTHER_KAFKA)
        for shown in shown_commands()
        if shown.is_whole and shown.words[0] == "cronstream"
    }
    asking = sorted(words for words in typed if words[0] in ("runs", "show", "discarded", "audit"))
    assert len(asking) > 4
    # Any number of these may be on this Kafka: the last one is shown.
    named = (words[words.index("--job") + 1] for words in asking if "--job" in words)
    for job in {"heartbeat", *named}:
        run = await announced(ledger, job)
        await ledger.make(NAMES.log(ledger.cluster), run, Outcome.SUCCEEDED, 0)

    answers = await asyncio.gather(*(command(ledger, *words) for words in asking))

    for words, (status, _, err) in zip(asking, answers, strict=True):
        # Not clean is what an audit may find: other tests have left their history here.
        assert status in ((0, 1) if words[0] == "audit" else (0,)), (words, err)
        assert "Traceback" not in err


async def test_run_now_waits_for_the_verdict(ledger: Ledger) -> None:
    name = a_name("by-hand")
    job = Job(
        name=name,
        cluster=ledger.cluster,
        schedule="@daily",
        timezone="UTC",
        command="true",
        effective_from=clock.now(),
    )
    await ledger.put(NAMES.jobs, name, job)
    waiting = asyncio.create_task(command(ledger, "run-now", name, "--wait"))
    log = NAMES.log(ledger.cluster)
    partition = partition_of(name, ledger.settings.partitions)
    async with Reader(ledger.settings) as reader, asyncio.timeout(_LIMIT_S):
        reader.follow({TopicPartition(log, partition): 0})
        messages: list[LogMessage] = []
        while not messages:
            messages = await reader.poll(1.0)
    run_id = _run_id(name, messages[0].value)
    now = clock.now()
    claim = Claimed(run=run_id, version=0, worker="w.1", number=1)
    finished = Finished(
        run=run_id,
        claim=0,
        worker="w.1",
        outcome=Outcome.SUCCEEDED,
        started_at=now,
        ended_at=now,
        exit_status=0,
    )
    await ledger.put(log, name, claim, finished)

    status, out, err = await waiting
    assert (status, out) == (0, f"{run_id}\n"), err
    assert err.splitlines()[-1].endswith("succeeded  took 0 ms")


def _run_id(job: str, raw: bytes | None) -> str:
    fields = json.loads(raw or b"{}")
    return f"{job}@{fields['scheduled_at']}!run-now-{fields['number']}"


async def test_a_broker_that_is_not_there_is_one_line_within_seconds(ledger: Ledger) -> None:
    began = clock.monotonic()
    status, out, err = await command(ledger, "--broker", "kafka://127.0.0.1:1", "runs")
    assert (status, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert err.startswith("cronstream: no Kafka answers")
    assert clock.monotonic() - began < 40, "it takes 0.5 s; the machine may be busy"


@pytest.fixture
async def own_broker(tmp_path: Path) -> AsyncIterator[EmbeddedBroker]:
    """A Kafka that a test may stop; it is stopped in any case."""
    with closing(Guard()) as guard:
        jars = settings().jars
        broker = EmbeddedBroker(tmp_path, free_port(), guard=guard, say=print, jar_cache=jars)
        await broker.start()
        try:
            yield broker
        finally:
            await broker.stop()


async def test_who_follows_while_the_broker_is_away_is_told_each_change_once(
    own_broker: EmbeddedBroker,
) -> None:
    chosen = Settings(broker=f"kafka://{own_broker.address}", partitions=2)
    await ensure_topics([*installation_topics(chosen), *cluster_topics("a", chosen)], chosen)
    ids = [await _run_by_hand(chosen, number) for number in (1, 2)]
    async with Follower(chosen.broker, "--since", "10m") as follower:
        await follower.heard(2)
        await own_broker.stop()
        await follower.told("waiting for it")
        await own_broker.start()
        async with asyncio.timeout(_LIMIT_S):
            ids += [await _run_by_hand(chosen, number) for number in (3, 4)]
        await follower.heard(4)
        follower.process.send_signal(signal.SIGINT)
        async with asyncio.timeout(_LIMIT_S):
            status = await follower.process.wait()

    assert [line["run"] for line in follower.lines] == ids
    assert "Kafka answers again: going on" in follower.said
    assert status == 130
    assert "Traceback" not in "\n".join(follower.said)


async def _run_by_hand(chosen: Settings, number: int) -> str:
    """Put a run on the log of cluster a, as ``run-now`` does; return its id."""
    now = clock.now()
    run = Run(
        job="by-hand",
        cluster="a",
        scheduled_at=now.replace(microsecond=0),
        not_before=now,
        command="true",
        cause=Cause.RUN_NOW,
        number=number,
        as_of=now,
    )
    publisher = Publisher(chosen)
    await publisher.start()
    try:
        await publisher.append(NAMES.log("a"), partition_of(run.job, chosen.partitions), run)
    finally:
        await publisher.stop()
    return run.id


class Follower:
    """``cronstream runs --follow --json`` in a process of its own."""

    process: asyncio.subprocess.Process

    def __init__(self, broker: str, *options: str) -> None:
        self._line = ("--broker", broker, "runs", "--follow", "--json", *options)
        self.lines: list[dict[str, Any]] = []
        self.said: list[str] = []

    async def __aenter__(self) -> Self:
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", _HEEDS_CTRL_C + MAIN, *self._line),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
        rest = (await self.process.communicate())[1]
        self.said += rest.decode().splitlines()

    async def heard(self, count: int) -> None:
        """Wait until it has printed so many changes."""
        assert self.process.stdout is not None
        async with asyncio.timeout(_LIMIT_S):
            while len(self.lines) < count:
                self.lines.append(json.loads(await self.process.stdout.readline()))

    async def told(self, text: str) -> None:
        """Wait until it has said something."""
        assert self.process.stderr is not None
        async with asyncio.timeout(_LIMIT_S):
            while not any(text in line for line in self.said):
                self.said.append((await self.process.stderr.readline()).decode().strip())
