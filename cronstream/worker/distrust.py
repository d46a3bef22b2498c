"""Has a worker judge its runs by the keys that it trusts, and reports what it does not believe."""

import logging
from typing import Final

from cronstream import clock
from cronstream.core.protocol.member import Member
from cronstream.core.trust.judging import Judgement, Standing
from cronstream.core.wire.runs import Run
from cronstream.logs import fields
from cronstream.trust.keyring import Keyring

logger = logging.getLogger(__name__)

#: Between two looks at the file of trusted keys, and at what waits for a key.
_LOOK_S: Final = 1.0
_AGAIN_S: Final = 5.0
#: Of each key, or job and reason, a line is written so often at most.
_QUIET_S: Final = 600.0
#: In that time no more lines are written: who forges can name ever new keys and jobs.
_MOST_LINES: Final = 1000


class DistrustWatch:
    """Watches one worker.

    Args:
        cluster: That of the worker: a snapshot that somebody else wrote may have another's runs.

    Attributes:
        keyring: Whom it trusts.
        refused: How many attempts it has refused, by reason.
    """

    def __init__(self, member: Member, keyring: Keyring, cluster: str) -> None:
        self._member, self.keyring, self._cluster = member, keyring, cluster
        self.refused: dict[str, int] = {}
        self._unknown: dict[str, str] = {}
        self._logged_at: dict[tuple[str, str], float] = {}
        self._looked_at = self._judged_at = clock.monotonic()
        member.trusting.judge = self._judge
        member.trusting.on_refused = self._note_refused

    def look(self, mono: float) -> None:
        """If it is time to, look whether the keys have changed, and judge again what waits."""
        if mono - self._looked_at < _LOOK_S:
            return
        self._looked_at = mono
        if self.keyring.refresh() or mono - self._judged_at >= _AGAIN_S:
            self._judged_at = mono
            self._unknown.clear()
            self._member.look_again()

    def sentences(self) -> tuple[str, ...]:
        """Return what people should know: which key is waited for."""
        count = sum(map(len, self._member.trusting.set_aside.values()))
        if not count or not self._unknown:
            return ()
        key, run = next(iter(self._unknown.items()))
        some = "a run waits" if count == 1 else f"{count} runs wait"
        return (f"{some} for a key that is not trusted here, {key} ({run}); {_REMEDY}",)

    def _judge(self, run: Run) -> Judgement:
        if self.keyring.ids is not None and run.cluster != self._cluster:
            why = f"it is for cluster {run.cluster}, and this worker has {self._cluster}"
            return Judgement(Standing.REFUSED, "not-here", why)
        judged = self.keyring.judge(run)
        if judged.standing is Standing.UNKNOWN_KEY:
            self._unknown[judged.key] = run.id
            if self._is_news("unknown-key", judged.key):
                about = fields("key-unknown", job=run.job, run=run.id, key=judged.key)
                logger.error("run %s waits: %s; %s", run.id, judged.why, _REMEDY, extra=about)
        return judged

    def _note_refused(self, run: Run, judged: Judgement) -> None:
        self.refused[judged.reason] = self.refused.get(judged.reason, 0) + 1
        if self._is_news(judged.reason, run.job):
            about = fields("distrusted", job=run.job, run=run.id, reason=judged.reason)
            logger.error("run %s is not made: %s", run.id, judged.why, extra=about)

    def _is_news(self, reason: str, name: str) -> bool:
        now, key = clock.monotonic(), (reason, name)
        if now - self._logged_at.get(key, -_QUIET_S) < _QUIET_S:
            return False
        while self._logged_at and now - next(iter(self._logged_at.values())) >= _QUIET_S:
            del self._logged_at[next(iter(self._logged_at))]  # They stand there by time.
        if len(self._logged_at) >= _MOST_LINES:
            return False
        self._logged_at[key] = now
        return True


_REMEDY: Final = (
    "if it is one of yours, add its line to the file that CRONSTREAM_TRUSTED_KEYS names; if not, "
    "'cronstream cancel' drops the run"
)
