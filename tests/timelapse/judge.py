"""What the logs have said from their first day on, whatever retention has taken since."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any, Final

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.state import SkipNews
from cronstream.core.wire.entries import Withdrawal
from cronstream.core.wire.enumerations import SkipReason, Verdict
from cronstream.core.wire.runs import Discarded
from tests.simulation.folding import Folded
from tests.simulation.loop import moment
from tests.timelapse.kafka import LapseTopics

_VERDICTS: Final = frozenset(verdict.value for verdict in Verdict)


@dataclass(slots=True)
class Story:
    """What the clusters' logs say of one run.

    Attributes:
        verdicts: In the order in which they came; but for ``withdrawn``, which is provisional.
        reason: Of the last.
        is_live: Whether it is live on a log now.
        failed: Whether an attempt that was made here has failed.
    """

    verdicts: list[str] = field(default_factory=list)
    reason: str = ""
    is_live: bool = False


@dataclass(slots=True)
class Skipped:
    """A span of due times that was skipped in one go, but for those that were live or settled."""

    from_at: datetime
    to_at: datetime
    reason: SkipReason
    but: frozenset[str]


class Judge:
    """Hears every message of every log, when it is appended.

    Attributes:
        stories: By run.
        skips: By job.
        held_from: From when each revision of each job holds, as a log has said first.
        discarded: Ids of the runs on the discarded topics.
        refused: A sentence for each run that was refused though nothing newer stands for it.
    """

    def __init__(self) -> None:
        self.stories: defaultdict[str, Story] = defaultdict(Story)
        self.skips: defaultdict[str, list[Skipped]] = defaultdict(list)
        self.held_from: dict[tuple[str, int], datetime] = {}
        self.discarded: set[str] = set()
        self.refused: list[str] = []
        self.folds: dict[tuple[str, bool, int], Folded] = {}
        self._of_job: defaultdict[str, set[str]] = defaultdict(set)

    def listen(self, topics: LapseTopics, cluster: str, names: tuple[str, str, str]) -> None:
        """Hear what comes on a cluster's topics: its log, its retry log, and what is discarded."""
        for partition in range(topics.partitions):
            for retry, topic in zip((False, True), names, strict=False):
                folded = self.folds[cluster, retry, partition] = Folded(Ledger(retry=retry))
                topics.log(topic, partition).heard = partial(self._hear, folded)
            topics.log(names[2], partition).heard = self._hear_discarded

    def fold_of(self, cluster: str, *, retry: bool, partition: int) -> Ledger:
        """Return the fold of a whole log."""
        return self.folds[cluster, retry, partition].ledger

    @property
    def is_quiet(self) -> bool:
        """Whether nothing is live on any log."""
        return not any(folded.ledger.book.live for folded in self.folds.values())

    def _hear(
        self, folded: Folded, offset: int, at: datetime, entries: list[Any], now: float
    ) -> None:
        folded.fold(offset, at, entries, moment(now))
        ledger = folded.ledger
        for entry in entries:
            if isinstance(entry, Withdrawal):
                key = entry.job, entry.revision
                self.held_from.setdefault(key, entry.effective_from)
        for refusal in ledger.book.turned_away:
            if refusal.why in ("unknown", "outdated"):
                self.refused.append(f"refused ({refusal.why}): {refusal.run}")
        if not ledger.book.retry:
            for news in ledger.book.news:
                self._note(news)
        ledger.book.news.clear()

    def _note(self, news: Any) -> None:
        if isinstance(news, SkipNews):
            known = frozenset(
                run
                for run in self._of_job[news.job]
                if self.stories[run].is_live or self.stories[run].verdicts
            )
            skipped = Skipped(news.from_at, news.to_at, news.reason, known)
            self.skips[news.job].append(skipped)
            return
        story = self.stories[news.run.id]
        self._of_job[news.run.job].add(news.run.id)
        story.is_live = news.action not in _VERDICTS and news.action != "withdrawn"
        if news.action in _VERDICTS:
            story.verdicts.append(news.action)
            story.reason = news.reason

    def _hear_discarded(self, _: int, __: datetime, records: list[Any], ___: float) -> None:
        self.discarded.update(record.run.id for record in records if isinstance(record, Discarded))

    def verdicts(self, run: str, job: str, due: datetime) -> list[str]:
        """Return the verdicts of a due time."""
        found = list(self.stories[run].verdicts) if run in self.stories else []
        for skip in self.skips.get(job, ()):
            if skip.from_at <= due <= skip.to_at and run not in skip.but:
                found.append("skipped")
        return found
