"""The supervisor with real processes: small programs that print, die, or will not stop."""

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from cronstream.broker.guard import Guard
from cronstream.core.wire.naming import Role
from cronstream.errors import BrokerError
from cronstream.supervisor.command import Command
from cronstream.supervisor.plan import Backoff, parts
from cronstream.supervisor.supervisor import KILLED, Supervisor

SCHEDULER = Role.of(None, retry=False)

#: Says its pid and waits; ends at SIGTERM with a last word.
OBEDIENT = """
import os, signal
def end(*_):
    os.write(1, b"drained\\n")
    os._exit(0)
signal.signal(signal.SIGTERM, end)
print("up", os.getpid(), flush=True)
signal.pause()
"""
#: The same, but it starts another in a session of its own and takes no notice of SIGTERM.
STUBBORN = """
import os, signal, subprocess
signal.signal(signal.SIGTERM, lambda *_: os.write(1, b"no\\n"))
other = subprocess.Popen(["sleep", "60"], start_new_session=True)
print("up", os.getpid(), other.pid, flush=True)
while True:
    signal.pause()
"""
DIES = "print('oh dear', flush=True); raise SystemExit(7)"
#: The first time, it leaves another process behind that has its stdout; then it is obedient.
ORPHANING = f"""
import os, subprocess, sys
if not os.path.exists(FLAG):
    open(FLAG, "w").close()
    print("up", subprocess.Popen(["sleep", "60"], start_new_session=True).pid, flush=True)
    sys.exit(7)
{OBEDIENT}
"""
IS_USED_WRONGLY = "print('no such option', flush=True); raise SystemExit(2)"


_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ ")


class Stage:
    """A supervisor, what it said, and a way to wait for that."""

    def __init__(self, guard: Guard) -> None:
        self.programs: dict[Role, str] = {}
        self.said: list[tuple[str, str]] = []
        #: What was said by the supervisor itself, with the time before it.
        self.stamped: list[tuple[str, str]] = []
        self._waiting: list[asyncio.Future[None]] = []
        self._run: asyncio.Task[int] | None = None
        self.stopping = asyncio.Event()
        self.plans: asyncio.Queue[tuple[Role, ...]] = asyncio.Queue()
        self.supervisor = Supervisor(
            self._command,
            self._say,
            guard,
            stop_within_s=10.0,
            stopping=self.stopping,
        )
        self.supervisor.backoff = Backoff(first_s=0.01)

    async def plans_made(self) -> AsyncIterator[tuple[Role, ...]]:
        while True:
            yield await self.plans.get()

    def patience(self, seconds: float) -> None:
        self.supervisor._stop_within_s = seconds

    def begin(self, roles: Sequence[Role], broker: "FakeBroker | None" = None) -> asyncio.Task[int]:
        self._run = asyncio.create_task(self.supervisor.run(roles, self.plans_made(), broker))
        return self._run

    async def end(self) -> None:
        """Leave nothing running, whatever became of the test."""
        if self._run is not None and not self._run.done():
            self.supervisor.kill()
            await self._run

    async def line(self, label: str, beginning: str, times: int = 1) -> str:
        """Wait until `label` has said something with this beginning so many times."""

        def found() -> list[str]:
            return [t for who, t in self.said if who == label and t.startswith(beginning)]

        while len(found()) < times:
            heard: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(heard)
            await heard
        return found()[times - 1]

    async def pids(self, label: str, times: int = 1) -> list[psutil.Process]:
        words = (await self.line(label, "up ", times)).split()
        return [psutil.Process(int(pid)) for pid in words[1:]]

    def _command(self, role: Role) -> Command:
        return Command((sys.executable, "-I", "-S", "-c", self.programs.get(role, OBEDIENT)))

    def _say(self, label: str, text: str) -> None:
        stamp = _STAMP.match(text)
        self.stamped += [(label, text)] if stamp else []
        self.said.append((label, text[stamp.end() :] if stamp else text))
        waiting, self._waiting = self._waiting, []
        for heard in waiting:
            if not heard.done():
                heard.set_result(None)


class FakeBroker:
    """A Kafka that is only noted: what happened to it, and when."""

    def __init__(self, stage: Stage, *, fault: str | None = None) -> None:
        self.log: list[str] = []
        self._stage = stage
        self._fault = fault
        self._ended = asyncio.Event()

    async def prepare(self) -> None:
        if self._fault:
            raise BrokerError(self._fault)
        self.log.append("prepared")

    async def start(self) -> None:
        self.log.append("started")

    async def wait(self) -> int:
        await self._ended.wait()
        self._ended.clear()
        return -signal.SIGKILL

    async def stop(self) -> None:
        drained = [label for label, text in self._stage.said if text == "drained"]
        self.log.append(f"stopped after {len(drained)} parts")

    async def kill(self) -> None:
        self.log.append("killed")

    def kill_now(self) -> None:
        self._ended.set()

    def last_lines(self) -> list[str]:
        return []


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    with closing(Guard()) as guard:
        stage = Stage(guard)
        yield stage
        await stage.end()


def is_gone(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


async def test_what_the_supervisor_says_itself_has_the_date_and_what_parts_say_is_theirs(
    stage: Stage,
) -> None:
    stage.programs[SCHEDULER] = DIES
    running = stage.begin(parts([]))
    await stage.line("scheduler", "ended: exit status 7")
    await stage.line("scheduler", "oh dear")
    stage.supervisor.stop()
    assert await running == 0
    assert any(label == "scheduler" and "exit status 7" in text for label, text in stage.stamped)
    assert not any(text.endswith("Z oh dear") for _, text in stage.stamped)


async def test_all_parts_are_started_and_drained_at_the_end(stage: Stage) -> None:
    running = stage.begin(parts(["a"]))
    everyone = [await stage.pids(label) for label in ("scheduler", "a", "a retry")]
    stage.supervisor.stop()
    assert await running == 0
    assert all(is_gone(process) for processes in everyone for process in processes)
    assert sorted(label for label, text in stage.said if text == "drained") == [
        "a",
        "a retry",
        "scheduler",
    ]
    assert any("waiting for scheduler, a, a retry" in text for _, text in stage.said)


async def test_a_part_that_dies_is_started_again_and_its_death_told(stage: Stage) -> None:
    stage.programs[SCHEDULER] = DIES
    running = stage.begin([SCHEDULER])
    await stage.line("scheduler", "oh dear", times=3)
    stage.supervisor.stop()
    assert await running == 0
    told = await stage.line("scheduler", "ended")
    assert told.startswith("ended: exit status 7, after ")
    assert ("scheduler", "  oh dear") in stage.said


async def test_a_part_that_is_killed_is_started_again_as_another_process(stage: Stage) -> None:
    running = stage.begin([SCHEDULER])
    [first] = await stage.pids("scheduler")
    first.kill()
    [second] = await stage.pids("scheduler", times=2)
    assert first.pid != second.pid
    assert "killed by SIGKILL" in await stage.line("scheduler", "ended")
    stage.supervisor.stop()
    assert await running == 0


async def test_what_runs_aside_is_started_again_stops_nothing_and_ends_with_all(
    stage: Stage,
) -> None:
    programs = iter([IS_USED_WRONGLY, DIES])

    def command() -> Command:
        return Command((sys.executable, "-I", "-S", "-c", next(programs, OBEDIENT)))

    stage.supervisor.aside = {"console": command}
    running = stage.begin([SCHEDULER])
    await stage.pids("scheduler")
    [console] = await stage.pids("console")
    assert await stage.line("console", "ended", times=2)
    stage.supervisor.stop()
    assert await running == 0
    assert await stage.line("console", "drained")
    assert not console.is_running()


async def test_wrong_usage_at_the_first_start_stops_everything(stage: Stage) -> None:
    stage.programs[SCHEDULER] = IS_USED_WRONGLY
    assert await stage.begin(parts(["a"])) == 1
    assert ("cronstream", "scheduler: ended: exit status 2") in stage.said
    assert ("scheduler", "no such option") in stage.said


async def test_wrong_usage_of_a_part_that_an_edit_brought_stops_nothing_else(
    stage: Stage,
) -> None:
    running = stage.begin([SCHEDULER])
    await stage.pids("scheduler")
    added = Role.of("b", retry=False)
    stage.programs[added] = IS_USED_WRONGLY
    stage.plans.put_nowait((SCHEDULER, added))
    await stage.line("b", "no such option", times=2)
    assert not stage.stopping.is_set()
    stage.supervisor.stop()
    assert await running == 0


async def test_a_cluster_that_comes_is_started_and_one_that_goes_is_drained(stage: Stage) -> None:
    running = stage.begin(parts(["a"]))
    [a] = await stage.pids("a")
    await stage.pids("a retry")
    stage.plans.put_nowait(parts(["b"]))
    await stage.pids("b retry")
    await stage.line("a", "drained")
    await stage.line("a retry", "drained")
    stage.plans.put_nowait(parts(["a", "b"]))
    [again] = await stage.pids("a", times=2)
    assert again.pid != a.pid
    assert is_gone(a)
    stage.supervisor.stop()
    assert await running == 0


async def test_a_part_that_will_not_stop_is_killed_with_all_it_has_started(stage: Stage) -> None:
    stage.patience(0.2)
    stage.programs[SCHEDULER] = STUBBORN
    running = stage.begin([SCHEDULER])
    family = await stage.pids("scheduler")
    stage.supervisor.stop()
    assert await running == 0
    assert len(family) == 2
    assert ("scheduler", "no") in stage.said
    _, alive = psutil.wait_procs([p for p in family if not is_gone(p)], timeout=5)
    assert alive == []


async def test_a_second_ctrl_c_kills_all_at_once(stage: Stage) -> None:
    stage.patience(1000)
    stage.programs[SCHEDULER] = STUBBORN
    running = stage.begin(parts(["a"]))
    family = [*await stage.pids("scheduler"), *await stage.pids("a")]
    stage.supervisor.stop()
    await stage.line("scheduler", "no")
    stage.supervisor.kill()
    assert await running == KILLED
    _, alive = psutil.wait_procs([p for p in family if not is_gone(p)], timeout=5)
    assert alive == []


async def test_kafka_is_stopped_after_all_parts(stage: Stage) -> None:
    broker = FakeBroker(stage)
    running = stage.begin(parts(["a"]), broker)
    for label in ("scheduler", "a", "a retry"):
        await stage.pids(label)
    stage.supervisor.stop()
    assert await running == 0
    assert broker.log == ["prepared", "started", "stopped after 3 parts", "killed"]


async def test_a_kafka_that_dies_is_started_again(stage: Stage) -> None:
    broker = FakeBroker(stage)
    running = stage.begin([SCHEDULER], broker)
    await stage.pids("scheduler")
    broker.kill_now()
    await stage.line("kafka", "ended: killed by SIGKILL")
    stage.supervisor.stop()
    assert await running == 0
    assert broker.log[:2] == ["prepared", "started"]


async def test_a_kafka_that_cannot_be_started_starts_nothing_else(stage: Stage) -> None:
    assert await stage.begin([SCHEDULER], FakeBroker(stage, fault="no Java")) == 1
    assert ("cronstream", "no Java") in stage.said
    assert "scheduler" not in {label for label, _ in stage.said}


async def test_a_part_that_has_ended_is_not_waited_for_because_another_has_its_pipe(
    stage: Stage, tmp_path: Path
) -> None:
    stage.programs[SCHEDULER] = ORPHANING.replace("FLAG", repr(str(tmp_path / "flag")))
    running = stage.begin([SCHEDULER])
    [orphan] = await stage.pids("scheduler")
    try:
        await stage.line("scheduler", "ended: exit status 7")
        assert not is_gone(orphan)
    finally:
        orphan.kill()
        stage.supervisor.stop()
        assert await running == 0


async def test_lines_in_no_encoding_and_without_an_end_are_shown(stage: Stage) -> None:
    stage.programs[SCHEDULER] = "import os, signal; os.write(2, b'h\\xe9\\nno end'); signal.pause()"
    running = stage.begin([SCHEDULER])
    await stage.line("scheduler", "h\N{REPLACEMENT CHARACTER}")
    stage.supervisor.stop()
    assert await running == 0
    assert ("scheduler", "no end") in stage.said
