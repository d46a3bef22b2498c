"""One world's logs and starts, as lines in the order of time."""

from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

from cronstream.core.wire.codec import to_json
from tests.simulation.faults import planted
from tests.simulation.loop import seconds
from tests.simulation.scale import scaled_down
from tests.simulation.world import World

#: Fields that say nothing in a world where all commands are alike.
_DULL = {
    "__faust",
    "cluster",
    "command",
    "timezone",
    "backoff",
    "retry_on",
    "attempts",
    "max_attempts",
    "head",
    "tail",
    "pid",
    "exit_status",
}
_ALWAYS = ("Owned", "Lost", "Withdrawal", "Job")


def trace(seed: int, wanted: str, fault: str | None) -> Iterator[str]:
    """Yield a line for each record and start of a seed.

    Args:
        seed: Of the world.
        wanted: Only lines with this text, and those that concern all; all if empty.
        fault: Planted while it runs.
    """
    world = World(seed)
    with scaled_down(), planted(fault) if fault else nullcontext():
        try:
            world.run()
        except Exception as error:  # noqa: BLE001 - what came before it is what is wanted
            yield f"ended by {error!r}"
    lines = [*_records(world), *_starts(world), *_silences(world)]
    for at, kind, text in sorted(lines):
        if wanted in text or kind in _ALWAYS:
            yield f"{at:8.3f} {text}"


def _records(world: World) -> Iterator[tuple[float, str, str]]:
    for log in [world.jobs, *world.topics.all()]:
        for offset, (at, records) in enumerate(log.messages):
            for record in records:
                kind = type(record).__name__
                name = log.name.removeprefix("cronstream.")
                text = f"{name}/{log.partition} {offset} {kind} {_fields(record)}"
                yield seconds(at), kind, text


def _fields(record: Any) -> str:
    values = to_json(record)
    return " ".join(f"{name}={value}" for name, value in values.items() if name not in _DULL)


def _starts(world: World) -> Iterator[tuple[float, str, str]]:
    for start in world.starts:
        run = f"{start.run.id} attempt {start.run.attempt}"
        yield start.at, "start", f"START {run} by {start.worker}"
        if start.end is not None:
            yield start.end, "end", f"END {run} by {start.worker}: {start.outcome}"


def _silences(world: World) -> Iterator[tuple[float, str, str]]:
    for process, start, end in world.silences:
        yield start, "Job", f"SILENT {process} until {end:.3f}"
