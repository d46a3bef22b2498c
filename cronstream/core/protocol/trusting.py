"""What a worker does about runs that it does not trust (rule 21): it starts none of them.

Of a run that is refused an end is put on the log in its place, and what follows is seen by all. One
whose key is not known here waits without a claim: the key may only be on its way.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeAlias

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.state import COUNTS_SINCE, LiveRun, State
from cronstream.core.protocol.actions import run_and_claim
from cronstream.core.trust.judging import TRUSTED, Judgement, Standing
from cronstream.core.wire.entries import Finished
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.runs import Run

#: Says what is thought of a run.
JudgeRun: TypeAlias = Callable[[Run], Judgement]


class Trusting:
    """What is thought of a worker's runs, and what waits or ends because of it.

    Attributes:
        judge: Says what is thought of a run; it trusts all unless another one is put here.
        on_refused: Is called with each run that is refused, and why.
        set_aside: Version of each run that waits for its key, by partition and run id.
    """

    def __init__(self) -> None:
        self.judge: JudgeRun = lambda _: TRUSTED
        self.set_aside: dict[int, dict[str, int]] = {}
        self.on_refused: Callable[[Run, Judgement], None] = lambda _, __: None
        self._refused: dict[str, tuple[int, str]] = {}

    def waits(self, partition: int, live: LiveRun) -> bool:
        """Whether a run that could be claimed has to wait for its key; it is set aside then."""
        if self.judge(live.run).standing is not Standing.UNKNOWN_KEY:
            return False
        self.set_aside.setdefault(partition, {})[live.run.id] = live.version
        return True

    def believes(self, run: Run) -> bool:
        """Whether a run may be started."""
        return self.judge(run).standing is Standing.TRUSTED

    def refuse(self, key: str, partition: int, run: Run, judged: Judgement) -> None:
        """Have an attempt that was claimed end without a start."""
        if key not in self._refused:
            self.on_refused(run, judged)
            self._refused[key] = partition, judged.why

    def ends(
        self, worker: str, ledgers: Mapping[int, Ledger], now: datetime
    ) -> list[tuple[int, Finished]]:
        """Return the end of each attempt that was refused, with its partition, once.

        Args:
            worker: Who says so.
            ledgers: By partition: one whose log is not raised to it knows no refusal yet, and
                gets a failure.
            now: The time by this worker's clock (UTC).
        """
        refused, self._refused = self._refused, {}
        found = []
        for key, (partition, why) in refused.items():
            run_id, claim = run_and_claim(key)
            ledger = ledgers.get(partition)
            knows = ledger is not None and ledger.book.level >= COUNTS_SINCE
            entry = Finished(
                run=run_id,
                claim=claim,
                worker=worker,
                outcome=Outcome.REFUSED if knows else Outcome.FAILED,
                started_at=None,
                ended_at=now,
                note=why,
            )
            found.append((partition, entry))
        return found

    def look_again(self, ledgers: Mapping[int, Ledger]) -> list[tuple[int, str, int]]:
        """Have what was set aside be found again: keys have changed, or some time has passed.

        Args:
            ledgers: By partition; of what has gone with its partition there is none.

        Returns:
            Partition, run and version of each: its job's line may be judged again.
        """
        aside, self.set_aside = self.set_aside, {}
        found = []
        for partition, runs in aside.items():
            if partition not in ledgers:
                continue
            book = ledgers[partition].book
            for run_id, version in runs.items():
                found.append((partition, run_id, version))
                live = book.live.get(run_id)
                if live and live.version == version and live.state is State.QUEUED:
                    book.await_claim(live)
        return found
