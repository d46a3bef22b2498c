"""Runs that are signed, forged, or signed by a key that is not known everywhere yet (rule 21).

What a signature is worth is made from its word: the arithmetic of keys is tested elsewhere. In some
worlds somebody also writes later attempts to a retry log that have all their attempts left again.
"""

from collections.abc import Iterator
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Final

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.state import COUNTS_SINCE, SkipNews
from cronstream.core.protocol.trusting import JudgeRun
from cronstream.core.trust.judging import TRUSTED, Judgement, Standing
from cronstream.core.wire.entries import Level, Skip, Started, Withdrawal
from cronstream.core.wire.enumerations import FAILURES, Outcome
from cronstream.core.wire.runs import Run
from tests.simulation.log import Log

if TYPE_CHECKING:
    from tests.simulation.checks import Story
    from tests.simulation.worker import SimWorker
    from tests.simulation.world import World

#: Share of the worlds in which runs are signed.
_SHARE: Final = 0.15
_WORDS: Final = ("good", "good", "good", "forged", "new")
_UNKNOWN: Final = Judgement(Standing.UNKNOWN_KEY, "unknown-key", "its key is not known", "new")
_FORGED: Final = Judgement(Standing.REFUSED, "forged", "it was changed", "good")


class Trust:
    """What there is of signatures in one world."""

    def __init__(self, seed: int) -> None:
        self._dice, self._until = Random(f"{seed} trust"), 0.0
        #: Ids of runs whose attempts somebody else has numbered: that is not signed.
        self.renumbered: set[str] = set()
        self.happens = self._dice.random() < _SHARE

    def stamp(self, entry: Run | Skip | Withdrawal, knows: int) -> Run | Skip | Withdrawal:
        """Return a run with a signature, the same each time; and all else as it is."""
        if not (self.happens and isinstance(entry, Run) and knows >= COUNTS_SINCE):
            return entry
        return entry.derive(signature=Random(f"{entry.id} trust").choice(_WORDS))

    def begin(self, world: "World", until: float) -> None:
        """Draw when somebody writes attempts to a retry log."""
        self._until = until
        for _ in range(self._dice.choice((0, 3, 10)) if self.happens else 0):
            world.loop.at(self._dice.uniform(1.0, until), partial(self._forge, world))

    def judge_of(self, worker: "SimWorker") -> JudgeRun:
        """Return by what a worker judges: the new key comes to each at another time."""
        knows_at = self._dice.uniform(0.0, self._until + 2)

        def judge(run: Run) -> Judgement:
            if run.signature == "forged":
                return _FORGED
            is_new = run.signature == "new" and worker.loop.now < knows_at
            return _UNKNOWN if is_new else TRUSTED

        return judge

    def _forge(self, world: "World") -> None:
        """Write the next attempt of a run, with all that it had at first."""
        logs = [log for log in world.logs_of(retry=True) if _is_raised(log)]
        found = [(log, entry) for log in logs for _, entries in log.messages for entry in entries]
        runs = [(log, entry) for log, entry in found if isinstance(entry, Run)]
        if runs:
            log, run = self._dice.choice(runs)
            left = self._dice.randint(run.attempts_left, run.max_attempts)
            world.count["forged attempts"] += 1
            self.renumbered.add(run.id)
            world.client.put(log, run.derive(attempt=run.attempt + 1, attempts_left=left))


def _is_raised(log: Log) -> bool:
    first = (entry for _, entries in log.messages[:5] for entry in entries)
    return any(isinstance(entry, Level) and entry.level >= COUNTS_SINCE for entry in first)


def faults_of_trust(
    world: "World", stories: dict[str, "Story"], later: list[Ledger]
) -> Iterator[str]:
    """What is forged never starts, and ends in view; no run fails more often than it may."""
    for start in world.starts:
        if start.run.signature == "forged":
            yield f"started, though it is refused: {start.run.id}"
    yield from _announced(world, stories)
    for run_id, story in stories.items():
        if story.last is not None and story.last.signature == "forged":
            world.count["refused"] += 1
            yield from _of_forged(run_id, story.final, story.last)
    for log in later:
        runs = (news.run for news in log.book.news if not isinstance(news, SkipNews))
        yield from (fault for run in runs for fault in _of_later_attempt(run))


def _announced(world: "World", stories: dict[str, "Story"]) -> Iterator[str]:
    if any(process.upgraded_at for process in world.processes):
        return  # An old scheduler has not signed what it published, and its edit is signed.
    runs = {run_id: story.last for run_id, story in stories.items() if story.last is not None}
    forged = {run_id for run_id, run in runs.items() if run.signature == "forged"}
    for log in world.logs_of(retry=False):
        for _, entries in log.messages:
            for entry in entries:
                if isinstance(entry, Started) and entry.run in forged:
                    yield f"announced as started, though it is refused: {entry.run}"


def _of_forged(run_id: str, final: list[str], run: Run) -> Iterator[str]:
    outcomes = [attempt.outcome for attempt in run.attempts or []]
    # A claim that is lost while its job is changed discards a run that was not judged yet.
    is_refused = outcomes.count(Outcome.REFUSED) == 1 or outcomes[-1:] == [Outcome.LOST]
    if final == ["succeeded"] or (final == ["discarded"] and not is_refused):
        yield f"forged, and {final[0]} after {outcomes}: {run_id}"


def _of_later_attempt(run: Run) -> Iterator[str]:
    if run.signature == "forged":
        yield f"tried again, though it is refused: {run.id}"
    failed = sum(attempt.outcome in FAILURES for attempt in run.attempts or [])
    if failed > run.max_attempts:
        yield f"failed {failed} times of {run.max_attempts}: {run.id}"
