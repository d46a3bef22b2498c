"""Reports runs that the fold has refused, and that nobody will make: in the log, on health."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from cronstream.core.ledger.mark import OUTDATED, UNKNOWN
from cronstream.core.ledger.state import FORGOTTEN, FROM_AHEAD, TOO_MANY, TOO_OLD, Refusal
from cronstream.logs import fields

logger = logging.getLogger(__name__)

#: Of each job and reason a line is written so often at most, and this long it is a warning.
REMEMBERED_S: Final = 600.0
_WHY: Final = {
    UNKNOWN: "their revision, {revision}, is not known here; edit the job (its description will "
    "do), so that it is announced again",
    OUTDATED: "their revision, {revision}, is older than the one in force; if the jobs topic was "
    "recreated, see 'Topics that are gone' in docs/troubleshooting.md",
    TOO_OLD: "they came more than ten minutes after they were judged; their senders send them "
    "again, unless a broker's clock is wrong",
    FROM_AHEAD: "they count as made already, by a clock that was ahead; once all clocks are right, "
    "see 'cronstream repair --dry-run'",
    TOO_MANY: "they have more attempts left than their failures leave: nothing of cronstream's "
    "writes that; see who else may write to the topic (docs/kafka-security.md)",
    FORGOTTEN: "they may have been made before the beginning of the log, which is gone, and nobody "
    "has claimed them for a week; see 'Topics that are gone' in docs/troubleshooting.md",
}


@dataclass(slots=True)
class _Count:
    """How many were refused of a job for a reason.

    Attributes:
        at: When the last one was; `told_at` when it was last logged (monotonic seconds).
    """

    number: int
    revision: int | None
    at: float
    told_at: float


class RefusalWatch:
    """Counts what was refused, by job and reason; what is to be expected is left out."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str], _Count] = {}

    def note(self, refusals: Iterable[Refusal], mono: float) -> None:
        """Take what the fold of a message has refused."""
        for refusal in refusals:
            if refusal.is_ordinary:
                logger.debug("run %s: refused (%s)", refusal.run, refusal.why)
                continue
            self._forget(mono)
            key = (refusal.job, refusal.why)
            count = self._counts.setdefault(key, _Count(0, None, mono, float("-inf")))
            count.number, count.at, count.revision = count.number + 1, mono, refusal.revision
            if mono - count.told_at > REMEMBERED_S:
                count.told_at = mono
                about = fields("refused", job=refusal.job, run=refusal.run, reason=refusal.why)
                logger.warning("%s (%s)", _sentence(*key, count), refusal.run, extra=about)

    def sentences(self, mono: float) -> tuple[str, ...]:
        """Return what was refused lately: a sentence for each job and reason."""
        self._forget(mono)
        return tuple(_sentence(*key, count) for key, count in sorted(self._counts.items()))

    def _forget(self, mono: float) -> None:
        past = [key for key, count in self._counts.items() if mono - count.at > REMEMBERED_S]
        for key in past:
            del self._counts[key]


def _sentence(job: str, why: str, count: _Count) -> str:
    some = "a run" if count.number == 1 else f"{count.number} runs"
    were = "was" if count.number == 1 else "were"
    return f"{some} of job {job!r} {were} refused: {_WHY[why].format(revision=count.revision)}"
