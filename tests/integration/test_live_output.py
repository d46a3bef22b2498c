"""What a run writes is shown while it runs, to whoever follows it, and to nobody else."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Self

import pytest

from cronstream.core.wire.live_output import FOLLOWS, Follow, Written, encode
from cronstream.settings import Settings
from cronstream.topology.publish import Publisher
from cronstream.topology.reading import Reader
from tests.builders import NAMES
from tests.integration.command import MAIN, run_command
from tests.integration.conftest import StartWorker
from tests.integration.truth import a_name

pytestmark = pytest.mark.integration

_CANARY = "canary-5e0f7d"
#: Its first attempt writes, waits for the gate, writes a secret in two parts, and fails.
_TALKS = """
[ "$CRONSTREAM_ATTEMPT" = 1 ] || { echo again; exit 0; }
echo first; cat gate; echo second; printf %s canary-; sleep 0.3; echo 5e0f7d; exit 3
"""


class Follower:
    """``cronstream logs RUN --follow`` in a process of its own."""

    process: asyncio.subprocess.Process

    def __init__(self, broker: str, run: str, *options: str) -> None:
        self._line = ("--broker", broker, "logs", run, "--follow", *options)
        self.out: list[str] = []

    async def __aenter__(self) -> Self:
        self.process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", MAIN, *self._line),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        if self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    async def until(self, text: str) -> None:
        """Wait until it has printed something."""
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            while text not in "".join(self.out):
                line = await self.process.stdout.readline()
                assert line, "".join(self.out)
                self.out.append(line.decode())

    async def end(self) -> tuple[int, str, str]:
        """Wait for its end; return its status, and all that it has printed and said."""
        async with asyncio.timeout(60):
            out, err = await self.process.communicate()
        return self.process.returncode or 0, "".join(self.out) + out.decode(), err.decode()


async def _put(broker: str, topic: str, *values: tuple[bytes, dict[str, str]]) -> None:
    publisher = Publisher(Settings(broker=f"kafka://{broker}"))
    await publisher.start()
    try:
        for value, headers in values:
            await publisher.put_raw(topic, 0, value, headers)
    finally:
        await publisher.stop()


async def _size(broker: str, topic: str) -> int:
    async with Reader(Settings(broker=f"kafka://{broker}")) as reader:
        return (await reader.ends(topic, [0]))[0] if await reader.partitions(topic) else -1


def _crontab(cluster: str, folder: Path) -> str:
    """Return one job, which talks; and make the gate that it waits for, and its secret."""
    os.mkfifo(folder / "gate")
    (folder / "token").write_text(_CANARY)
    job = {
        "name": cluster,
        "cluster": cluster,
        "schedule": "0 0 1 1 *",
        "command": _TALKS,
        "cwd": str(folder),
        "env": {"TOKEN": {"file": str(folder / "token")}},
        "max_attempts": 2,
        "backoff": {"first": "0.2s", "jitter": 0},
    }
    return json.dumps({"version": 1, "clusters": {cluster: None}, "jobs": [job]})


async def _flood(broker: str, topic: str) -> None:
    """Say of very many runs that somebody follows them, and what nobody can read."""
    async with asyncio.timeout(60):
        while await _size(broker, topic) < 0:  # noqa: ASYNC110 - a worker makes it
            await asyncio.sleep(0.1)
    said = [(encode(Follow(run=f"{n}@x", follower="x")), dict([FOLLOWS])) for n in range(99)]
    await _put(broker, topic, *said, (b"\xff{", dict([FOLLOWS])), (b"[" * 9_000, {}))


async def _run_now(broker: str, job: str) -> str:
    """Run it once it is in force, which a scheduler does a moment after it begins."""
    async with asyncio.timeout(60):
        while True:
            status, out, err = await run_command(broker, "run-now", job)
            if status == 0:
                return out.strip()
            assert "there is no job" in err
            await asyncio.sleep(0.5)


async def test_who_follows_a_run_sees_what_it_writes_and_nobody_can_harm_him_or_the_worker(
    start_worker: StartWorker, broker: str, tmp_path: Path
) -> None:
    cluster, gate = a_name("talks"), tmp_path / "gate"
    topic, crontab = NAMES.output(cluster), _crontab(cluster, tmp_path)
    workers = await asyncio.gather(
        start_worker("--cluster", cluster, crontab=crontab),
        start_worker("--cluster", cluster, "--retry"),
        start_worker(),
    )
    await _flood(broker, topic)
    run = await _run_now(broker, cluster)
    async with Follower(broker, run) as first:
        await first.until("first\n")
        async with Follower(broker, run, "--json") as late:
            await late.until('"first')
            forged = Written(run=run, attempt=1, worker="x", number=0, text="\x1b]0;x\x07")
            await _put(broker, topic, (encode(forged), {}), (b"{}", {}))
            await asyncio.to_thread(gate.write_text, "through the gate\n")
            status, out, err = await first.end()
            late_status, late_out, _ = await late.end()
    assert status == 0, out + err
    assert "\x1b" not in out
    shown = [line for line in out.splitlines() if "]0;x" not in line]
    assert shown == ["first", "through the gate", "second", "***", "again"]
    assert "attempt 1: failed (exit 3), by " in err
    assert err.splitlines()[-1].split("  ")[2] == "succeeded"
    objects = [json.loads(line) for line in late_out.splitlines()]
    assert "first\nthrough the gate\nsecond\n***\n" in "".join(x.get("text", "") for x in objects)
    assert (late_status, objects[-1]["state"]) == (0, "succeeded")
    await _what_nobody_follows_is_on_the_ledger_alone(broker, run, shown, gate)
    assert not [line for one in workers for line in one.lines if "Traceback" in line]


async def _what_nobody_follows_is_on_the_ledger_alone(
    broker: str, run: str, shown: list[str], gate: Path
) -> None:
    job = run.partition("@")[0]
    status, out, err = await run_command(broker, "logs", run)
    assert (status, out.splitlines()) == (0, shown), err
    status, _, err = await run_command(broker, "logs", f"{job}@2026-01-01T00:00:00Z")
    assert status == 3, err
    assert len(err.splitlines()) == 1
    before = await _size(broker, NAMES.output(job))
    waiting = asyncio.create_task(run_command(broker, "run-now", job, "--wait"))
    await asyncio.to_thread(gate.write_text, "through the gate\n")
    assert (await waiting)[0] == 0
    assert await _size(broker, NAMES.output(job)) == before
