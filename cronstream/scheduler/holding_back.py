"""Whether a crontab is held back, since it would take out much of what is in force."""

import logging
from collections.abc import Collection
from pathlib import Path

from cronstream.core.crontab.change import Change
from cronstream.core.crontab.parser import Crontab
from cronstream.core.crontab.removals import unmeant_removal
from cronstream.core.wire.runs import Job
from cronstream.logs import fields
from cronstream.metrics.scheduler_counts import SchedulerCounts

logger = logging.getLogger(__name__)


class HeldBack:
    """What was good before stays in force, until the file says that it means the removal.

    Attributes:
        why: Why the file is not put in force; empty if it is.
    """

    def __init__(self, file: Path, counts: SchedulerCounts) -> None:
        self.why = ""
        self._file, self._counts = file, counts

    def judge(self, crontab: Crontab, in_force: Collection[Job], change: Change) -> bool:
        """Return whether a crontab is held back, and say so, once.

        Args:
            crontab: What the file says.
            in_force: The jobs that are in force.
            change: How the file differs from them.
        """
        removal = unmeant_removal(in_force, change, crontab.allow_removals)
        before, self.why = self.why, ""
        if removal is not None:
            self.why = (
                f"{self._file.name} is held back: it would take out {removal}; what is in force "
                "goes on as it is. Mend the file; or, if that is meant, write "
                f"'allow_removals: {removal.mark}' into it"
            )
        self._counts.note_held_back(is_held_back=removal is not None, is_new=self.why != before)
        if removal is not None and self.why != before:
            about = fields(
                "crontab-held-back",
                jobs=len(in_force),
                added=len(change.added),
                changed=len(change.changed),
                removed=len(change.removed),
            )
            logger.error("%s", self.why, extra=about)
        return removal is not None

    def forget(self) -> None:
        """It is another's turn, or nobody's: nothing is held back here."""
        self.why = ""
        self._counts.note_held_back(is_held_back=False, is_new=False)
