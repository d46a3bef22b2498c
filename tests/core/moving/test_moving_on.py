"""Whatever happens after a move, the fold says what it would have said had nothing been moved."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import to_row
from cronstream.core.moving.export import log_state, release_all
from cronstream.core.moving.renumbering import ledgers_of
from cronstream.core.wire.entries import (
    Cancelled,
    Claimed,
    Entry,
    Forwarded,
    Level,
    Lost,
    Settled,
    Skipped,
    Withdrawal,
)
from cronstream.core.wire.enumerations import Outcome, SkipReason, Verdict
from cronstream.core.wire.levels import LEVEL
from cronstream.core.wire.runs import Run
from tests.builders import at
from tests.core.ledger.test_rows import logs, runs
from tests.core.moving.test_export import _Numbers, _one
from tests.ledger_builders import Told, a_skip, finished, released, started


class House:
    """A ledger with its own offsets, and its own numbers for the revisions of the job."""

    def __init__(self, ledger: Ledger, factor: int) -> None:
        self.ledger, self.factor = ledger, factor

    def version(self, run: Run) -> int:
        live = self.ledger.book.live.get(run.id)
        return -10_000 if live is None else live.version

    def claim(self, run: Run) -> int:
        live = self.ledger.book.live.get(run.id)
        return -10_000 if live is None or live.claim is None else live.claim

    def number(self, revision: int | None) -> Any:
        return None if revision is None else revision * self.factor

    def take(self, entry: Entry, seconds: float) -> None:
        self.ledger.fold(self.ledger.book.next_offset, at(seconds), [entry])

    @property
    def state(self) -> dict[str, Any]:
        """What it knows, without what is only a name here."""
        row = to_row(self.ledger, 0)
        row["live"].sort(key=lambda live: live["version"])
        for live in row["live"]:
            holder = live["claim"] is not None
            live["version"], live["claim"] = None, holder
            for run in (live["run"], live["successor"] or {}):
                if run.get("revision") is not None:
                    run["revision"] //= self.factor
        for mark in row["marks"].values():
            mark[2] = [[number // self.factor, since] for number, since in mark[2]]
            more = [*mark[5:], *(-1, -1, 0, -1)[len(mark) - 5 :]]
            mark[5:] = [n if i == 2 or n < 0 else n // self.factor for i, n in enumerate(more)]
        row["recent"].sort()  # A log whose clock steps back has them in another order.
        return {name: row[name] for name in ("live", "marks", "recent", "now")}


_Step = Callable[[House, Run, int], Entry]
_STEPS: list[_Step] = [
    lambda h, run, _: run.derive(revision=h.number(run.revision)),
    lambda h, run, n: Claimed(run=run.id, version=h.version(run), worker="w9", number=n),
    lambda h, run, n: Claimed(run=run.id, version=h.version(run), worker="w8", number=n),
    lambda h, run, _: started(run, h.claim(run), "w9"),
    lambda h, run, n: finished(run, h.claim(run), list(Outcome)[n % 5], "w9"),
    lambda h, run, _: finished(run, h.claim(run), Outcome.FAILED, "w8"),
    lambda h, run, _: released(run, h.claim(run), "w9"),
    lambda h, run, _: Forwarded(run=run.id, version=h.version(run)),
    lambda h, _, __: Lost(worker="w9", number=_last(h)),
    lambda h, _, n: Withdrawal(
        job="backup", revision=h.number(9 + n), effective_from=at(5 * n), removed=n == 4
    ),
    lambda h, run, n: a_skip(10, 10 + 10 * n, revision=h.number(run.revision or 1)),
    lambda _, run, n: Settled(run=run.id, verdict=list(Verdict)[n % 3], attempt=2),
    lambda h, run, _: Skipped(run=run.id, version=h.version(run), reason=SkipReason.OVERLAP),
    lambda h, run, _: Cancelled(
        run=run.id, version=None if h.ledger.book.retry else h.version(run)
    ),
    lambda _, run, __: Cancelled(run=run.id, reason=SkipReason.CANCELLED, by="ada"),
]


def _last(house: House) -> int:
    beat = house.ledger.book.beats.get("w9")
    return -1 if beat is None else beat.number


@given(logs(), st.data())
@settings(max_examples=60, deadline=None)
def test_a_fold_goes_on_as_if_it_had_not_moved(told: Told, data: Any) -> None:
    # A new house begins at the highest level, and the former one says the same at that alone.
    told.tell(Level(level=LEVEL), seconds=5000)
    release_all(told.ledger, told.ledger.book.now)
    state = log_state("cluster-a", retry=told.ledger.book.retry, ledgers=[told.ledger])
    moved = ledgers_of(state, 1, _one, _Numbers()).get(0)
    if moved is None:
        return
    told.ledger.book.beats.clear()  # Nobody of the former house is heard of any more.
    houses = House(told.ledger, 1), House(moved, 100)
    known = [live.run for live in told.ledger.book.live.values()]
    known += data.draw(st.lists(runs(), min_size=1, max_size=2))

    for turn in range(data.draw(st.integers(0, 20))):
        make, run = data.draw(st.sampled_from(_STEPS)), data.draw(st.sampled_from(known))
        number = data.draw(st.integers(1, 5)) + turn
        before = [house.state for house in houses]
        for house in houses:
            house.take(make(house, run, number), 5000 + turn)
        assert houses[0].state == houses[1].state, (before[0], make, run)
