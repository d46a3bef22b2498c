"""Rule 26 on a real Kafka: no run waits for a slot of its owner's while another worker has one."""

import asyncio
import json
import os
import re
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from cronstream import clock
from cronstream.core.health.presence import numbers
from cronstream.polling import until
from cronstream.topology.publish import partition_of
from tests.integration.command import run_command
from tests.integration.conftest import StartedWorker, StartWorker
from tests.integration.scraped import scrape, total
from tests.integration.truth import a_name

pytestmark = pytest.mark.integration

_WORKERS, _SLOTS, _PARTITIONS = 3, 2, 12
#: As many runs as there are slots, all of them on partitions of one worker.
_RUNS = _WORKERS * _SLOTS
_LEAD_S = 6.0
_LEASE_S, _BEAT_S = 6.0, 1.0


@dataclass(frozen=True)
class Stamp:
    """What a command has written: at its start, or at its end."""

    what: str
    run: str
    attempt: int
    worker: str
    at: float


class Scene:
    """Three workers, one of which owns what all runs are on, and what their commands write."""

    def __init__(self, broker: str, folder: Path, lasts_s: float) -> None:
        self.broker, self.folder, self.cluster = broker, folder, a_name("lend")
        self.lasts_s = lasts_s
        self.workers: dict[str, StartedWorker] = {}
        self.lender, self.since, self.due = "", clock.now(), clock.now()

    def crontab(self, jobs: str = "jobs: []") -> str:
        return f"version: 1\nclusters: {{{self.cluster}: }}\n{jobs}\n"

    async def begin(self, start: StartWorker) -> None:
        """Start all, and wait until each owns some partitions and all know of each other."""
        names = [f"w{number}" for number in range(_WORKERS)]
        variables = {"CRONSTREAM_SLOTS": str(_SLOTS), "CRONSTREAM_METRICS_BIND": "127.0.0.1"}
        _, *workers = await asyncio.gather(
            start(crontab=self.crontab()),
            *(
                start("--cluster", self.cluster, variables={"WORKER": name, **variables})
                for name in names
            ),
        )
        self.workers = dict(zip(names, workers, strict=True))
        async with asyncio.timeout(60):
            while not (owns := await self._owns()):  # noqa: ASYNC110 - other processes
                await asyncio.sleep(0.3)
        self.lender = max(owns, key=lambda name: len(owns[name]))
        await self._fall_due(owns[self.lender])

    async def _owns(self) -> dict[str, frozenset[int]]:
        """Return what each worker owns, once every partition has its owner."""
        status, out, err = await run_command(
            self.broker, "workers", "--cluster", self.cluster, "--json"
        )
        assert status == 0, err
        told = {x["name"]: numbers(x["owns"]) for x in map(json.loads, out.splitlines())}
        owns = {
            name: partitions
            for name, worker in self.workers.items()
            for told_name, partitions in told.items()
            if any(f"this worker is {told_name} " in line for line in worker.lines)
        }
        is_whole = sorted(p for each in owns.values() for p in each) == [*range(_PARTITIONS)]
        return owns if is_whole and all(owns.values()) and len(owns) == _WORKERS else {}

    async def _fall_due(self, partitions: frozenset[int]) -> None:
        """Have the runs due at once; a second attempt is over at once."""
        names = (f"{self.cluster}-{number}" for number in range(10_000))
        mine = (name for name in names if partition_of(name, _PARTITIONS) in partitions)
        self.due = clock.now().replace(microsecond=0) + timedelta(seconds=_LEAD_S)
        at, stamps = f"{self.due:%Y-%m-%dT%H:%M:%S}", self.folder / "stamps"
        note = '$CRONSTREAM_RUN_ID $CRONSTREAM_ATTEMPT $WORKER $(date +%s.%N)" >>' + str(stamps)
        sleep = f"test $CRONSTREAM_ATTEMPT -gt 1 || sleep {self.lasts_s:g}"
        command = f'echo "start {note}; {sleep}; echo "end {note}'
        jobs = "\n".join(
            f"  - {{name: {name}, cluster: {self.cluster}, schedule: '@at {at}',"
            f" timezone: UTC, command: '{command}'}}"
            for name, _ in zip(mine, range(_RUNS), strict=False)
        )
        (self.folder / "crontab.yaml").write_text(self.crontab(f"jobs:\n{jobs}"))

    def stamps(self, what: str = "start") -> list[Stamp]:
        path = self.folder / "stamps"
        rows = [line.split(" ") for line in path.read_text().splitlines()] if path.exists() else []
        all_of_them = [Stamp(w, run, int(n), by, float(at)) for w, run, n, by, at in rows]
        return [stamp for stamp in all_of_them if stamp.what == what]

    async def started(self, count: int = _RUNS) -> list[Stamp]:
        """Return the first starts, once there are so many."""
        async with asyncio.timeout(60):
            await until(lambda: len(self.stamps()) >= count, 0.05)
        return self.stamps()

    def borrower(self) -> str:
        """Return a worker that makes a run that it does not own."""
        return next(s.worker for s in self.stamps() if s.worker != self.lender)

    def starts_of(self, worker: str) -> set[str]:
        return {stamp.run for stamp in self.stamps() if stamp.worker == worker}

    def hit(self, worker: str, number: signal.Signals) -> float:
        """Send a signal to a worker alone, and return when."""
        os.kill(self.workers[worker].pid, number)
        return clock.now().timestamp()

    async def audited(self) -> None:
        """Audit once all runs have their verdicts: none is lost or doubled."""
        window = ("--since", self.since.isoformat(), "--until", self._until().isoformat())
        async with asyncio.timeout(60):
            while True:
                status, out, err = await run_command(
                    self.broker, "audit", "--json", "--cluster", self.cluster, *window
                )
                assert status in (0, 1), err
                found = [json.loads(line) for line in out.splitlines()]
                if not found[-1]["open"]:
                    break
                await asyncio.sleep(0.5)
        assert status == 0, found
        attempts = Counter((stamp.run, stamp.attempt) for stamp in self.stamps())
        assert set(attempts.values()) == {1}, attempts
        assert len({run for run, _ in attempts}) == _RUNS

    def _until(self) -> datetime:
        return self.due + timedelta(seconds=1)


Begin = Callable[[float], Awaitable[Scene]]


@pytest.fixture
def begin(start_worker: StartWorker, broker: str, tmp_path: Path) -> Begin:
    """Start all, and return once each run has been started; it lasts for so many seconds."""

    async def begun(lasts_s: float) -> Scene:
        scene = Scene(broker, tmp_path, lasts_s)
        await scene.begin(start_worker)
        await scene.started()
        return scene

    return begun


async def test_workers_with_free_slots_make_what_would_wait_for_one_that_has_none(
    begin: Begin,
) -> None:
    scene = await begin(3.0)
    assert max(stamp.at for stamp in scene.stamps()) - scene.due.timestamp() < 2
    assert Counter(s.worker for s in scene.stamps()) == dict.fromkeys(scene.workers, _SLOTS)
    counted = {name: await _borrowed(worker) for name, worker in scene.workers.items()}
    assert counted.pop(scene.lender) == 0
    assert set(counted.values()) == {_SLOTS}
    await scene.audited()
    assert len(scene.stamps()) == _RUNS


async def test_what_a_killed_borrower_had_is_made_again_once_and_not_before_its_lease_is_over(
    begin: Begin,
) -> None:
    scene = await begin(4.0)
    borrower = scene.borrower()
    hit = scene.starts_of(borrower)
    at = scene.hit(borrower, signal.SIGKILL)
    again = (await scene.started(_RUNS + len(hit)))[_RUNS:]
    assert {stamp.run for stamp in again} == hit
    assert {stamp.attempt for stamp in again} == {2}
    assert min(stamp.at for stamp in again) - at > _LEASE_S - 2 * _BEAT_S
    await scene.audited()
    assert len(scene.stamps()) == _RUNS + len(hit)


async def test_what_a_killed_lender_had_lent_goes_on_to_its_end(begin: Begin) -> None:
    scene = await begin(10.0)
    own = scene.starts_of(scene.lender)
    scene.hit(scene.lender, signal.SIGKILL)
    again = (await scene.started(_RUNS + len(own)))[_RUNS:]
    assert {stamp.run for stamp in again} == own
    await scene.audited()
    assert len(scene.stamps()) == _RUNS + len(own)
    lent = {s.run for s in scene.stamps()} - own
    assert {(s.run, s.attempt) for s in scene.stamps("end") if s.run in lent} == {
        (run, 1) for run in lent
    }


async def test_a_borrower_that_is_told_to_stop_brings_what_it_has_to_its_end(begin: Begin) -> None:
    scene = await begin(3.0)
    borrower = scene.borrower()
    assert await scene.workers[borrower].stop() == 0
    ended = {s.run for s in scene.stamps("end") if s.worker == borrower}
    assert ended == scene.starts_of(borrower)
    await scene.audited()
    assert len(scene.stamps()) == _RUNS


async def test_a_lender_that_stands_still_for_longer_than_its_lease_has_only_its_own_made_again(
    begin: Begin,
) -> None:
    scene = await begin(3.0)
    own = scene.starts_of(scene.lender)
    scene.hit(scene.lender, signal.SIGSTOP)
    try:
        again = (await scene.started(_RUNS + len(own)))[_RUNS:]
    finally:
        scene.hit(scene.lender, signal.SIGCONT)
    assert {stamp.run for stamp in again} == own
    await scene.audited()
    assert len(scene.stamps()) == _RUNS + len(own)


async def _borrowed(worker: StartedWorker) -> float:
    line = await worker.said("its metrics are at 127.0.0.1, port ")
    port = re.findall(r"port (\d+)", line)[0]
    series = await scrape(f"http://127.0.0.1:{port}/metrics")
    return total(series, "cronstream_attempts_borrowed_total")
