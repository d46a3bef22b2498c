"""What a console keeps, whatever becomes of it, of its file, and of the broker."""

import asyncio
import os
import random
import shutil
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import NewTopic

from cronstream.broker.embedded import EmbeddedBroker
from cronstream.broker.guard import Guard
from cronstream.broker.ports import free_port
from cronstream.console.catching_up import WORTH
from cronstream.core.wire.codec import encode_entries
from cronstream.core.wire.entries import Claimed, Entry, Finished, Started, Withdrawal
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.naming import Names
from cronstream.settings import settings
from cronstream.supervisor.command import Command
from tests.builders import a_run, at
from tests.integration.command import MAIN, run_command
from tests.integration.conftest import StartedWorker
from tests.integration.hands import admin
from tests.integration.truth import a_name

pytestmark = pytest.mark.integration

PREFIX = "killed"


class Ledger:
    """A log on a Kafka whose every offset stands for so many runs that have succeeded."""

    def __init__(self, broker: str, in_one: int = 50) -> None:
        self._broker, self.cluster, self.in_one = broker, a_name("ledger"), in_one
        self.topic, self._messages = Names(PREFIX).log(self.cluster), 0

    async def create(self) -> None:
        async with admin(self._broker) as client:
            # A cluster is known by the log of its retries.
            topics = (self.topic, Names(PREFIX).retry_log(self.cluster))
            await client.create_topics([NewTopic(topic, 1, 1) for topic in topics])

    async def write(self, messages: int) -> None:
        """Append so many messages."""
        async with AIOKafkaProducer(bootstrap_servers=self._broker) as producer:
            for n in range(self._messages, self._messages + messages):
                entries = [*(self._begun() if n == 0 else ()), *self._runs(n)]
                await producer.send(self.topic, encode_entries(entries), partition=0)
        self._messages += messages

    @property
    def runs(self) -> int:
        return self._messages * self.in_one

    def _begun(self) -> list[Entry]:
        jobs = [f"{self.cluster}.{i}" for i in range(self.in_one)]
        return [Withdrawal(job=job, revision=1, effective_from=at(-1)) for job in jobs]

    def _runs(self, offset: int) -> list[Entry]:
        """Return what is said of some runs from their publication to their end, in one message."""
        due, about = at(offset), {"cluster": self.cluster, "revision": 1}
        runs = [
            a_run(job=f"{self.cluster}.{i}", scheduled_at=due, **about) for i in range(self.in_one)
        ]
        claim: dict[str, Any] = {"worker": "w1", "number": 1, "version": offset}
        began: dict[str, Any] = {"worker": "w1", "claim": offset, "started_at": due}
        ended = {**began, "outcome": Outcome.SUCCEEDED, "ended_at": due}
        return [
            *runs,
            *(Claimed(run=run.id, **claim) for run in runs),
            *(Started(run=run.id, pid=7, **began) for run in runs),
            *(Finished(run=run.id, **ended) for run in runs),
        ]


class Kept:
    """The file of a console, as somebody else sees it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "console" / "console.sqlite"

    def agrees(self, ledger: Ledger) -> int:
        """See that there are as many rows as the offset says; return how many."""
        if not self._path.exists():
            return 0
        of, on = (ledger.cluster,), (ledger.topic,)
        with closing(sqlite3.connect(self._path)) as db:
            db.execute("BEGIN")
            try:
                [rows] = db.execute("SELECT count(*) FROM runs WHERE cluster = ?", of).fetchone()
            except sqlite3.OperationalError:  # It had not yet any tables.
                return 0
            how = "SELECT coalesce(sum(count), 0) FROM minutes WHERE cluster = ?"
            [counted] = db.execute(how, of).fetchone()
            found = db.execute("SELECT next FROM places WHERE topic = ?", on).fetchone()
        expected = found[0] * ledger.in_one if found else 0
        assert (rows, counted) == (expected, expected)
        return int(rows)

    async def has(self, ledger: Ledger, least: int | None = None) -> None:
        """Wait until it has so many runs of a ledger, or all of them."""
        found, wanted = 0, ledger.runs if least is None else least
        for _ in range(600):
            found = self.agrees(ledger)
            if found >= wanted:
                return
            await asyncio.sleep(0.2)
        pytest.fail(f"it has {found} of {wanted} runs")


@asynccontextmanager
async def a_console(guard: Guard, broker: str, folder: Path) -> AsyncIterator[StartedWorker]:
    """Start a console, and wait until it answers; it is killed at the end."""
    variables = {
        "CRONSTREAM_BROKER": f"kafka://{broker}",
        "CRONSTREAM_PREFIX": PREFIX,
        "CRONSTREAM_DATA_DIR": str(folder),
        "CRONSTREAM_WEB_PORT": str(free_port()),
        "CRONSTREAM_CONSOLE_KEEP_DAYS": "3650",
        "CRONSTREAM_CONSOLE_PROJECTORS": "2",
        "PYTHONUNBUFFERED": "1",
    }
    console = StartedWorker()
    await console.start(Command((sys.executable, "-c", MAIN, "console"), variables), guard)
    try:
        await console.said("the console is at")
        yield console
    finally:
        await console.kill()


async def test_a_console_that_is_killed_at_any_moment_goes_on_where_rows_and_offsets_agree(
    broker: str, tmp_path: Path
) -> None:
    ledger, kept = Ledger(broker), Kept(tmp_path)
    await ledger.create()
    await ledger.write(messages=300)
    seed = random.randrange(1_000_000)
    moments, seen = random.Random(seed), []
    with closing(Guard()) as guard:
        for _ in range(6):
            async with a_console(guard, broker, tmp_path):
                await asyncio.sleep(moments.uniform(0.1, 2.5))
            seen.append(kept.agrees(ledger))
            await ledger.write(messages=20)
        assert seen == sorted(seen), f"seed {seed}"
        async with a_console(guard, broker, tmp_path) as console:
            await kept.has(ledger)
            status, _, err = await run_command(
                broker, "--data-dir", str(tmp_path), "console", "--port", "0"
            )
            assert status == 1
            address = console.lines[0].rpartition(" ")[2]
            assert f"already ({address}): use that one, or give this one a folder" in err
            # Another one, with a folder of its own, says the same.
            async with a_console(guard, broker, tmp_path / "other"):
                await Kept(tmp_path / "other").has(ledger)
        shutil.rmtree(tmp_path / "console")
        async with a_console(guard, broker, tmp_path):
            await kept.has(ledger)
    assert kept.agrees(ledger) == ledger.runs


def _catching_up(console: StartedWorker) -> list[psutil.Process]:
    """Return the processes by which a console catches up."""
    children = psutil.Process(console.pid).children(recursive=True)
    return [one for one in children if any("spawn_main" in word for word in one.cmdline())]


async def test_a_console_that_is_killed_while_several_processes_catch_up_takes_them_with_it(
    broker: str, tmp_path: Path
) -> None:
    ledgers, kept = [Ledger(broker, in_one=1) for _ in range(2)], Kept(tmp_path)
    for ledger in ledgers:
        await ledger.create()
        await ledger.write(messages=WORTH // 2 + 3_000)
    left = sum(ledger.runs for ledger in ledgers)
    with closing(Guard()) as guard:
        async with a_console(guard, broker, tmp_path) as console:
            await console.said(
                "messages are to be read; processes that do so, each of some clusters: 2"
            )
            for ledger in ledgers:
                await kept.has(ledger, least=1)
            processes = _catching_up(console)
            os.kill(console.pid, signal.SIGKILL)  # It alone.
            _, alive = await asyncio.to_thread(psutil.wait_procs, processes, timeout=30)
        assert (len(processes), alive) == (2, [])
        seen = [kept.agrees(ledger) for ledger in ledgers]
        assert 0 < sum(seen) < left
        async with a_console(guard, broker, tmp_path) as console:
            for ledger in ledgers:
                await kept.has(ledger)
            await ledgers[0].write(messages=10)
            await kept.has(ledgers[0])
            assert not _catching_up(console)


async def test_a_console_waits_for_a_broker_that_goes_away_and_goes_on_with_what_came_since(
    tmp_path: Path,
) -> None:
    with closing(Guard()) as guard:
        port = free_port()

        def a_broker() -> EmbeddedBroker:
            folder, cache = tmp_path / "kafka", settings().jars
            return EmbeddedBroker(folder, port, guard=guard, say=print, jar_cache=cache)

        kafka, kept = a_broker(), Kept(tmp_path)
        await kafka.start()
        ledger = Ledger(kafka.address)
        try:
            await ledger.create()
            await ledger.write(messages=4)
            async with a_console(guard, kafka.address, tmp_path) as console:
                await kept.has(ledger)
                await kafka.stop()
                await console.said("trying again until it can be used")
                kafka = a_broker()
                await kafka.start()
                await ledger.write(messages=4)
                await kept.has(ledger)
                said = [line for line in console.lines if "trying again" in line]
                assert len(said) <= 6, said
                assert not any("Traceback" in line for line in console.lines), console.lines
        finally:
            with suppress(ProcessLookupError):
                await kafka.stop()
