"""A rolling upgrade from the last version of an older level, under load, on a real Kafka.

One installation with two clusters: of one the workers are upgraded before the schedulers, as
docs/upgrading.md has it, of the other after them.
"""

import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from cronstream import clock
from cronstream.broker.ports import free_port
from cronstream.core.wire.levels import LEVEL
from tests.integration.command import run_command
from tests.integration.conftest import StartedWorker, StartWorker, a_broker
from tests.old_version import OLD_LEVELS, unpack_old

pytestmark = pytest.mark.integration

#: A rebalance waits so long for its members, and a start comes a moment later.
LATE_S = 12.0
RIGHT, WRONG = "right", "wrong"
RETRIED = ("flaky", "doomed")
TOO_LATE = ("wrong-1", "wrong-retry")
#: For workers that come after the schedulers: as long as it takes to start them.
PATIENCE_S = 120.0
#: A run has begun, or will be audited, if it was due so long ago; and so have its retries.
SETTLES = timedelta(seconds=15)
BAD = ("unexplained", "refused", "doubled", "unasked", "early", "gap", "contradiction", "overrun")
#: Notes when it begins and ends; its first argument is how long that takes, the second its status
#: at the first attempt, the third at later ones.
SCRIPT = """\
note() { echo "$1 $CRONSTREAM_RUN_ID $CRONSTREAM_ATTEMPT $WORKER $(date +%s.%N)" >> truth; }
note begin
sleep "$1"
note end
[ "$CRONSTREAM_ATTEMPT" = 1 ] && exit "$2"
exit "$3"
"""


#: What a job may say that a version of a level does not know.
NEWS = {1: "background: wait", 2: "umask: '027'", 3: "start_within: 1h"}


@pytest.fixture
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A Kafka of its own: the level of an installation is never lowered."""
    with a_broker(tmp_path_factory.mktemp("kafka")) as address:
        yield address


@dataclass(frozen=True)
class Note:
    """What a command has written down."""

    what: str
    run: str
    attempt: int
    worker: str
    at: datetime

    @property
    def job(self) -> str:
        return self.run.partition("@")[0]

    @property
    def due(self) -> datetime:
        return datetime.fromisoformat(self.run.partition("@")[2])


def _notes(folder: Path) -> list[Note]:
    truth = folder / "truth"
    found = []
    written = truth.read_text().rpartition("\n")[0] if truth.exists() else ""
    for line in written.splitlines():  # The last may be being written.
        what, run, attempt, worker, at = line.split(" ")
        moment = datetime.fromtimestamp(float(at), tz=clock.now().tzinfo)
        found.append(Note(what, run, int(attempt), worker, moment))
    return found


def _jobs(cluster: str, folder: Path) -> dict[str, str]:
    """Return what the jobs of a cluster are, by name."""
    takes = {
        "fine": ("@every 1s", "0.1 0 0", ""),
        "flaky": ("@every 2s", "0.1 3 0", "max_attempts: 3"),
        "doomed": ("@every 3s", "0.1 3 3", "max_attempts: 2"),
        "alone": ("@every 1s", "1.5 0 0", "overlap: skip"),
        "once": ("@every 2s", "0.1 0 0", "delivery: at_most_once"),
    }
    return {
        f"{cluster}-{name}": f"cluster: {cluster}, schedule: '{schedule}', cwd: {folder}, "
        f"command: 'sh script.sh {arguments}', {more}"
        for name, (schedule, arguments, more) in takes.items()
    }


def _crontab(jobs: dict[str, str]) -> str:
    lines = "".join(f"  - {{name: {name}, {text}}}\n" for name, text in jobs.items())
    return (
        f"version: 1\nclusters: {{{RIGHT}: , {WRONG}: }}\n"
        f"defaults: {{backoff: {{first: 0.3s, jitter: 0}}}}\njobs:\n{lines}"
    )


async def _audit(broker: str, since: datetime) -> tuple[int, dict[str, Any]]:
    """Audit once every due time up to now has its verdict; return status and summary."""
    window = ("--since", since.isoformat(), "--until", clock.now().isoformat())
    async with asyncio.timeout(120):
        while True:
            status, out, err = await run_command(f"kafka://{broker}", "audit", "--json", *window)
            assert status in (0, 1), err
            summary = json.loads(out.splitlines()[-1])
            if not summary["open"]:
                return status, summary
            await asyncio.sleep(1)


class Fleet:
    """The processes of the installation, by the names that they have in what commands note."""

    def __init__(self, start: StartWorker, folder: Path, old: dict[str, str], level: int) -> None:
        self._start, self._folder, self._old, self._level = start, folder, old, level
        self.there: dict[str, StartedWorker] = {}

    async def begin(
        self, name: str, *, old: bool = False, waits: bool = True, **more: Any
    ) -> StartedWorker:
        version = self._old if old else {}
        variables = {**version, "WORKER": f"{name}-{'old' if old else 'new'}"}
        variables["CRONSTREAM_ADOPT"] = "0"
        # The old version would choose one that is free, and not hold it.
        port = ("--web-port", str(free_port()))
        started = await self._start(*ROLES[name], *port, variables=variables, waits=False, **more)
        self.there[name] = started
        if waits:
            await started.said("Z healthy")
        return started

    async def replace(self, name: str) -> None:
        """Stop a process, and start the present version in its place."""
        await self.there[name].stop()
        await self.begin(name)

    async def kill_and_replace(self, name: str) -> None:
        """Kill a process with all it has started, and start the present version in its place."""
        await self.there[name].kill()
        await self.begin(name)

    async def has_made_way(self, name: str) -> None:
        """Wait until a process of the older level has said why it ends, and has ended."""
        line = await self.there[name].said(f"was raised to level {LEVEL} by cronstream")
        assert f"this process knows only level {self._level}: upgrade it" in line
        assert await self.there[name].child.wait() == 1

    async def noted(self, version: str, *jobs: str, attempt: int = 1) -> None:
        """Wait until such attempts of these jobs have ended in workers of a version."""
        missing = set(jobs)
        async with asyncio.timeout(120):
            while missing:
                await asyncio.sleep(0.1)
                missing -= {
                    note.job
                    for note in _notes(self._folder)
                    if (note.what, note.attempt) == ("end", attempt)
                    and note.worker.endswith(version)
                }


ROLES: dict[str, tuple[str, ...]] = {
    "scheduler-1": (),
    "scheduler-2": (),
    "right-1": ("--cluster", RIGHT),
    "right-2": ("--cluster", RIGHT),
    "right-retry": ("--cluster", RIGHT, "--retry"),
    "wrong-1": ("--cluster", WRONG),
    "wrong-retry": ("--cluster", WRONG, "--retry"),
}


@pytest.mark.parametrize("level", OLD_LEVELS)
async def test_an_upgrade_loses_and_doubles_nothing_in_either_order_and_is_late_only_in_one(
    level: int, broker: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    (tmp_path / "script.sh").write_text(SCRIPT)
    jobs = {**_jobs(RIGHT, tmp_path), **_jobs(WRONG, tmp_path)}
    fleet = Fleet(start_worker, tmp_path, unpack_old(tmp_path / "old", level), level)
    since = clock.now()
    await asyncio.gather(*(fleet.begin(name, old=True, crontab=_crontab(jobs)) for name in ROLES))
    await fleet.noted("old", *(f"{c}-{j}" for c in (RIGHT, WRONG) for j in RETRIED), attempt=2)

    await asyncio.gather(fleet.replace("right-1"), fleet.replace("right-retry"))
    await fleet.replace("right-2")
    await fleet.replace("scheduler-1")
    await fleet.replace("scheduler-2")
    await asyncio.gather(*(fleet.has_made_way(name) for name in TOO_LATE))
    again = await fleet.begin("wrong-1", old=True, waits=False)
    _edit(tmp_path, jobs, level)
    await fleet.noted("new", "right-kept")
    await fleet.has_made_way("wrong-1")
    assert not any("owns " in line for line in again.lines)
    await asyncio.gather(*map(fleet.begin, TOO_LATE))
    await fleet.noted("new", "wrong-kept")
    await fleet.noted("new", *(f"wrong-{job}" for job in RETRIED), attempt=2)
    status, summary = await _audit(broker, since)
    notes = [note for note in _notes(tmp_path) if note.due <= clock.now() - SETTLES]

    assert (status, [summary[kind] for kind in BAD]) == (0, [0] * len(BAD)), summary
    assert {name: count for name, count in _starts(notes).items() if count > 1} == {}
    assert _gaps(notes) == []
    assert _together(notes) == []
    assert _slowest(notes, RIGHT) < LATE_S
    assert _slowest(notes, WRONG) < PATIENCE_S


async def test_an_upgrade_in_which_processes_are_killed_loses_and_doubles_nothing(
    broker: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    level = OLD_LEVELS[-1]
    (tmp_path / "script.sh").write_text(SCRIPT)
    jobs = {**_jobs(RIGHT, tmp_path), **_jobs(WRONG, tmp_path)}
    fleet = Fleet(start_worker, tmp_path, unpack_old(tmp_path / "old", level), level)
    since = clock.now()
    await asyncio.gather(*(fleet.begin(name, old=True, crontab=_crontab(jobs)) for name in ROLES))
    await fleet.noted("old", *(f"{c}-{j}" for c in (RIGHT, WRONG) for j in RETRIED), attempt=2)

    for names in (("right-1", "right-retry"), ("wrong-1", "wrong-retry"), ("right-2",)):
        await asyncio.gather(*map(fleet.kill_and_replace, names))
    await fleet.kill_and_replace("right-1")
    for name in ("scheduler-1", "scheduler-2", "scheduler-1", "wrong-1"):
        await fleet.kill_and_replace(name)
    _edit(tmp_path, jobs, level)
    await fleet.noted("new", "right-kept", "wrong-kept")
    status, summary = await _audit(broker, since)

    assert (status, [summary[kind] for kind in BAD]) == (0, [0] * len(BAD)), summary
    starts = _starts(_notes(tmp_path))
    assert {name: count for name, count in starts.items() if count > 1} == {}
    assert len(starts) > 100


def _edit(folder: Path, jobs: dict[str, str], level: int) -> None:
    """Put in what the older level does not know: a field of a job; and take a job out."""
    for cluster in (RIGHT, WRONG):
        del jobs[f"{cluster}-alone"]
        jobs[f"{cluster}-kept"] = jobs[f"{cluster}-fine"] + NEWS[level]
    (folder / "crontab.new").write_text(_crontab(jobs))
    (folder / "crontab.new").rename(folder / "crontab.yaml")


def _starts(notes: list[Note]) -> Counter[tuple[str, int]]:
    return Counter((note.run, note.attempt) for note in notes if note.what == "begin")


def _gaps(notes: list[Note]) -> list[str]:
    """Return the due times that nobody has made between two that somebody has, and the retries."""
    starts, gaps = _starts(notes), []
    for job in {note.job for note in notes} - {f"{cluster}-alone" for cluster in (RIGHT, WRONG)}:
        due = sorted({note.due for note in notes if note.job == job})
        if len(due) < 2:
            continue
        every = min(b - a for a, b in pairwise(due))
        gaps += [f"{job} after {a}" for a, b in pairwise(due) if b - a != every]
        if job.endswith(RETRIED):
            runs = {note.run for note in notes if note.job == job}
            gaps += [f"{run}, attempt 2" for run in runs if (run, 2) not in starts]
    return gaps


def _together(notes: list[Note]) -> list[str]:
    """Return the runs that began while another of a job that may not overlap was under way."""
    under_way: dict[str, str] = {}
    found = []
    for note in sorted(notes, key=lambda note: note.at):
        if note.job.endswith("-alone") and note.what == "begin":
            found += [f"{note.run} beside {under_way[note.job]}"] if note.job in under_way else []
            under_way[note.job] = note.run
        elif note.what == "end":
            under_way.pop(note.job, None)
    return found


def _slowest(notes: list[Note], cluster: str) -> float:
    """Return by how many seconds a first attempt was late at most, and print it."""
    first = [n for n in notes if (n.what, n.attempt) == ("begin", 1) and n.job.startswith(cluster)]
    slowest = max((note.at - note.due).total_seconds() for note in first)
    sys.stdout.write(f"{cluster}: late by {slowest:.2f} s at most, of {len(first)} runs\n")
    return slowest
