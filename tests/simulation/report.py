"""What was seen, as tables for people."""

from collections import Counter
from collections.abc import Iterable, Iterator

from tests.simulation.searching import Bite
from tests.simulation.trouble import BLOWS, STEPS, kinds

_BECAME = (
    *(
        "due times",
        "succeeded",
        "discarded",
        "skipped",
        "skipped as late",
        "made up for",
        "coalesced",
        "no verdict",
        "runs that followed",
        "handed over",
    ),
    *("starts", "overlaps", "pauses", "resumed", "skipped as paused", "jobs halted"),
    "skipped as paused, behind others",
)
_LOST = ("lost workers", "woke past its lease", "late entries refused")
_OVERLAP = ("skipped for overlap", "cancelled", "replaced", "two runs at once", "fenced")
_IN_THE_WORLD = ("process starts", "rebalances", "doubled sends", "published again")


def table_of_counts(count: Counter[str]) -> Iterator[str]:
    """Yield lines that say how often each thing has happened."""
    for title, names in (
        ("what became of runs", _BECAME),
        ("workers taken for lost", _LOST),
        ("runs that may not overlap, and fenced commands", _OVERLAP),
        ("trouble", (*kinds(), *_IN_THE_WORLD)),
    ):
        yield title
        for name in names:
            yield f"  {name:<32}{count[name]:>12,}"
    yield f"{'struck when a step was done':<24}" + "".join(f"{blow:>10}" for blow in BLOWS)
    for step in STEPS:
        struck = "".join(f"{count[f'{blow} when {step}']:>10,}" for blow in BLOWS)
        yield f"  {step:<25}{struck}"


def table_of_bites(found: Iterable[Bite], seeds: int) -> Iterator[tuple[str, Bite | None]]:
    """Yield the lines of a Markdown table of planted faults, each with what it is about."""
    yield "| planted fault | seeds until seen | CPU s | seen as |", None
    yield "|---|---:|---:|---|", None
    for bite in found:
        if bite.seen is None:
            yield f"| {bite.fault} | not in {seeds} | {bite.took_s:.2f} | |", bite
        else:
            last = bite.seen.faults[0].strip().splitlines()[-1].replace("|", "/")
            until = bite.seen.seed + 1
            yield f"| {bite.fault} | {until} | {bite.took_s:.2f} | {last[:90]} |", bite
