"""Each alert once: what raises it is done, the alert is waited for, and mended until it is over.

    python -m chaos.drill [FOLDER] [--factor 20] [--only NAME,…]

An installation of one scheduler, one worker and one retry worker, so that whoever is lost is
missed. What alerts wait for is divided by the factor. Prints a table for docs/chaos.md: what was
done, which alert came and after how long, what else was on meanwhile. Exit status 1 if an alert
did not come, was not over, or one came that does not belong to what was done.
"""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from chaos.alarms import alarms_of
from chaos.monitoring import Monitoring
from chaos.stage import Stage
from cronstream import clock
from cronstream.broker.guard import Guard

#: Some wait for runs to be five minutes late, whatever the factor.
_COMES_WITHIN_S = 480.0
_LOOK_AGAIN_S = 1.0
#: The ticket of late runs looks back for days: one outage keeps it on for the whole of a drill.
_PENDING = (
    'ALERTS{alertname!="CronstreamWatchdog"} '
    'unless ALERTS{alertname="CronstreamRunsLate", severity="ticket"}'
)
_ON = f'({_PENDING}) and ALERTS{{alertstate="firing"}}'

Act = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Drill:
    """What is done, and what comes of it.

    Attributes:
        alert: Without what all names begin with.
        also: Alerts that belong to the same, or follow from it.
    """

    what: str
    alert: str
    begin: Act
    end: Act
    also: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Result:
    """How long an alert took to come and to go (seconds), and what else was on."""

    drill: Drill
    came_s: float | None
    went_s: float | None
    others: tuple[str, ...]

    @property
    def is_well(self) -> bool:
        """Whether it came and went, and nothing else came that does not belong to it."""
        return None not in (self.came_s, self.went_s) and set(self.others) <= self.drill.also


_DOWN = frozenset({"ProcessDown"})
#: When Kafka is gone; once it is back, copies have to come into sync.
_STANDS = frozenset({
    *("ProcessDown", "RunsLate", "NoWorkers", "SchedulerSilent", "RunsNotStarting"),
    "KafkaUnderReplicated",
})  # fmt: skip
_FAILS = frozenset({"RunsDiscarded", "JobOverdue"})

DRILLS = (
    Drill(
        "the only worker is killed", "NoWorkers",
        lambda on: on.kill("worker"), lambda on: on.start("worker"), _DOWN | {"RunsLate"},
    ),
    Drill(
        "the only retry worker is killed", "NoWorkers",
        lambda on: on.kill("retry"), lambda on: on.start("retry"), _DOWN,
    ),
    Drill(
        "the only scheduler is killed", "SchedulerSilent",
        lambda on: on.kill("scheduler"), lambda on: on.start("scheduler"),
        _DOWN | {"RunsLate", "NoWorkers"},
    ),
    Drill(
        "a worker stands still", "ProcessDown",
        lambda on: on.pause("worker"), lambda on: on.resume("worker"),
        frozenset({"NoWorkers", "RunsLate"}),
    ),
    Drill(
        "Kafka is killed", "KafkaAway",
        lambda on: on.kafka.kill(), lambda on: on.kafka.start(), _STANDS,
    ),
    Drill(
        "every command fails", "RunsDiscarded",
        lambda on: on.switch("fails", on=True), lambda on: on.switch("fails", on=False), _FAILS,
    ),
    Drill(
        "a job does not succeed within expect_within", "JobOverdue",
        lambda on: on.switch("fails", on=True), lambda on: on.switch("fails", on=False), _FAILS,
    ),
    Drill(
        "a command does not end after its timeout", "JobStuck",
        lambda on: on.switch("stuck", on=True), lambda on: on.switch("stuck", on=False),
        frozenset({"RunsDiscarded"}),
    ),
    Drill(
        "commands that hang have all slots", "RunsNotStarting",
        lambda on: on.switch("full", on=True), lambda on: on.switch("full", on=False),
        frozenset({"RunsLate", "JobOverdue"}),
    ),
    Drill(
        "commands are slower than slots can take", "RunsLate",
        lambda on: on.switch("slow", on=True), lambda on: on.switch("slow", on=False),
    ),
    Drill(
        "later attempts hang", "RetryBacklog",
        lambda on: on.switch("again", on=True), lambda on: on.switch("again", on=False),
    ),
    Drill(
        "a worker wants signatures, and nobody signs", "RunsRefused",
        lambda on: on.start("strict"), lambda on: on.kill("strict"), _DOWN | _FAILS,
    ),
    Drill(
        "most jobs are gone from the crontab", "CrontabHeldBack",
        lambda on: on.cut(), lambda on: on.edit(None),
    ),
    Drill(
        "one of three brokers is killed", "KafkaUnderReplicated",
        lambda on: on.lose_a_broker(), lambda on: on.return_the_broker(),
    ),
    Drill(
        "the crontab has a mistake", "CrontabInvalid",
        lambda on: on.edit("jobs: {"), lambda on: on.edit(None),
    ),
    Drill(
        "another scheduler has another crontab", "CrontabDiverged",
        lambda on: on.start("other"), lambda on: on.kill("other"), _DOWN,
    ),
    Drill(
        "a worker's clock is ahead by 3 s", "ClocksApart",
        lambda on: on.start("ahead"), lambda on: on.kill("ahead"), _DOWN | {"RunsLate"},
    ),
    Drill(
        "malformed messages on a log", "MessagesQuarantined",
        lambda on: on.poison(), lambda _: asyncio.sleep(0), frozenset({"RunsRefused"}),
    ),
)  # fmt: skip


async def drill(one: Drill, stage: Stage, monitoring: Monitoring) -> Result:
    """Do what raises an alert, wait for it, mend that, and wait until nothing is on."""
    await until_calm(monitoring)
    began = clock.now()
    await one.begin(stage)
    monitoring.watch(stage.ports, stage.exporters)
    came_s = await _until(monitoring, lambda names: one.alert in names)
    await one.end(stage)
    monitoring.watch(stage.ports, stage.exporters)
    went_s = await _until(monitoring, lambda names: one.alert not in names)
    await until_calm(monitoring)
    on = alarms_of(await monitoring.ask_over(_ON, began, clock.now(), 1.0), 1.0)
    return Result(one, came_s, went_s, tuple(sorted({x.name for x in on} - {one.alert})))


async def until_calm(monitoring: Monitoring) -> None:
    """Wait until no alert is on, nor about to be: what a start raises is not of what is done."""
    await _until(monitoring, lambda names: not names, _PENDING)


async def _until(
    monitoring: Monitoring, is_it: Callable[[set[str]], bool], which: str = _ON
) -> float | None:
    """Return after how many seconds the alerts that are on are as wanted; None if never."""
    began = clock.monotonic()
    while clock.monotonic() - began < _COMES_WITHIN_S:
        found = await monitoring.ask(which)
        if is_it({one["metric"]["alertname"].removeprefix("Cronstream") for one in found}):
            return clock.monotonic() - began
        await asyncio.sleep(_LOOK_AGAIN_S)
    return None


def line(result: Result) -> str:
    """Return a row of the table."""
    came, went = (
        f"{s:.0f} s" if s is not None else "never" for s in (result.came_s, result.went_s)
    )
    others = ", ".join(result.others)
    return f"| {result.drill.what} | {result.drill.alert} | {came} | {went} | {others} |"


@asynccontextmanager
async def _stage(folder: Path, factor: int) -> AsyncIterator[tuple[Stage, Monitoring]]:
    with closing(Guard()) as guard:
        stage = Stage(folder, guard)
        async with Monitoring(folder / "monitoring", guard, factor).running() as monitoring:
            try:
                await stage.open()
                monitoring.watch(stage.ports, stage.exporters)
                yield stage, monitoring
            finally:
                await stage.close()


async def _main(folder: Path, factor: int, only: frozenset[str]) -> bool:
    is_well = True
    print("| what is done | alert | comes after | is over after | besides |\n|---|---|---|---|---|")
    async with _stage(folder, factor) as (stage, monitoring):
        for one in DRILLS:
            if not only or one.alert in only:
                result = await drill(one, stage, monitoring)
                print(line(result), flush=True)
                is_well = is_well and result.is_well
    return is_well


def main() -> None:
    """Run the drills that were asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="kept; a temporary one if not given")
    parser.add_argument("--factor", type=int, default=20, help="divides what alerts wait for")
    parser.add_argument("--only", default="", help="alerts, with commas between")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="cronstream-drill-"))
    only = frozenset(name for name in options.only.split(",") if name)
    sys.exit(0 if asyncio.run(_main(folder.absolute(), options.factor, only)) else 1)


if __name__ == "__main__":
    main()
