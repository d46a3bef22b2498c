"""One run that somebody follows: its output as it comes, what becomes of it, in a sensible order.

Output comes on one topic, and the end of an attempt on another: so that end is held back for a
moment, until all that was written before it is there.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any, Final, Protocol

from cronstream.core.wire.live_output import Written
from cronstream.history.heard import Heard
from cronstream.history.story import AttemptStory, Change, RunState, RunStory
from cronstream.history.words import attempt_text, change_text

#: How long the end of an attempt waits for the last of its output.
_LAST_WITHIN_S: Final = 3.0
#: How long an attempt may run before it is said that nothing of it is shown.
_SHOWN_WITHIN_S: Final = 10.0
#: States that say nothing to who follows: they last for a moment.
_PASSING: Final = (RunState.CLAIMED, RunState.DECIDING)


class Screen(Protocol):
    """Where it is shown."""

    def say(self, text: str) -> None:
        """Say something about the run."""

    def wrote(self, run: str, attempt: int, text: str, left_out: int) -> None:
        """Show what was just written."""

    def kept(self, story: RunStory, attempt: AttemptStory) -> None:
        """Show what is kept of an attempt that was not shown while it ran."""

    def changed(self, change: Change, text: str) -> None:
        """Say what has become of the run."""


@dataclass(slots=True)
class _Live(Heard):
    """An attempt as its worker shows it.

    Attributes:
        is_kept: Whether all that is kept of it was shown, for its end came before any of this.
    """

    is_kept: bool = False


class FollowedRun:
    """Shows a run to somebody, from what comes on the ledgers and on the topic of output.

    Attributes:
        story: As it stands now; None before anything was read of it.
    """

    def __init__(self, run: str, screen: Screen) -> None:
        self._run, self._screen = run, screen
        self.story: RunStory | None = None
        self._lives: dict[int, _Live] = {}
        self._held: deque[tuple[float, Change]] = deque()
        self._ended: set[Any] = set()
        self._runs_since: float | None = None
        self._was_told = False

    @property
    def is_over(self) -> bool:
        """Whether it has its verdict, and all of it is shown."""
        return self.story is not None and self.story.state.settled and not self._held

    def wrote(self, written: Written, mono: float) -> None:
        """Take what its worker shows of an attempt."""
        if written.run != self._run:
            return
        live = self._lives.setdefault(written.attempt, _Live())
        if live.is_kept:
            return
        is_shown = live.accepts(written)
        if live.has_gap:
            self._screen.say("some of its output has not come")
        if is_shown and (written.text or written.left_out):
            self._screen.wrote(self._run, written.attempt, written.text, written.left_out)
        self._release(mono)

    def changed(self, change: Change, mono: float) -> None:
        """Take a change of a run on the ledgers."""
        if change.story.id == self._run:
            self._held.append((mono, change))
            self._release(mono)

    def look(self, mono: float) -> None:
        """Show what has waited for long enough, and say if no output comes."""
        self._release(mono)
        is_silent = self._runs_since is not None and mono - self._runs_since > _SHOWN_WITHIN_S
        if self.story is None or not is_silent or self._was_told:
            return
        live = self._lives.get(self.story.attempt)
        if live is None or not live.is_begun:
            self._was_told = True
            self._screen.say(
                "no output comes: its worker may be of an older version, or may not write to the "
                "topic of output; what is kept is shown when the attempt has ended"
            )

    def _release(self, mono: float) -> None:
        while self._held:
            since, change = self._held[0]
            if mono - since < _LAST_WITHIN_S and any(map(self._is_awaited, change.story.attempts)):
                return
            self._held.popleft()
            self._show(change, mono)

    def _is_awaited(self, attempt: AttemptStory) -> bool:
        """Whether the last of what an attempt has written is still to come."""
        live = self._lives.get(attempt.number or 0)
        is_shown = live is not None and live.is_begun and not live.is_ended
        return is_shown and attempt.outcome is not None

    def _show(self, change: Change, mono: float) -> None:
        story = self.story = change.story
        self._runs_since = mono if story.state is RunState.RUNNING else None
        for attempt in story.attempts:
            if attempt.outcome is not None and attempt.offsets not in self._ended:
                self._ended.add(attempt.offsets)
                self._show_end(story, attempt)
        if story.state not in _PASSING:
            self._screen.changed(change, change_text(change))

    def _show_end(self, story: RunStory, attempt: AttemptStory) -> None:
        live = self._lives.setdefault(attempt.number or 0, _Live())
        if not live.is_begun:
            live.is_kept = True
            self._screen.kept(story, attempt)
            return
        if not live.is_ended:
            self._screen.say("the last of its output has not come; 'cronstream show' has its end")
        self._screen.say(attempt_text(attempt))
