"""What commands write, put on Kafka while somebody follows their run, and only then.

Nobody can make a worker write without bounds by saying that he follows: so many runs at a time,
each at the rate at which executors hand output on, and what is kept so far once a second at most.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cronstream.core.protocol.holder import Holding
from cronstream.core.wire.live_output import MOST_TEXT, SHOWN_S, Follow, Written
from cronstream.executor.protocol import Show, SoFar, Wrote

#: Runs that are followed at a time, and those who follow each.
MOST_RUNS: Final = 16
MOST_FOLLOWERS: Final = 16
#: Between two times that what is kept so far of an attempt's output is shown.
_SO_FAR_EVERY_S: Final = 1.0


@dataclass(slots=True)
class _Followed:
    """A run that somebody follows, until then (monotonic seconds), and who does."""

    until: float
    followers: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Shown:
    """An attempt whose output is shown.

    Attributes:
        began_at: When it was last asked for what is kept so far (monotonic seconds).
        number: Of the last message about it.
        is_live: Whether what is kept so far has been shown: what comes then goes on from it.
        missing: Bytes for which there was no room.
    """

    run: str
    attempt: int
    until: float
    began_at: float
    number: int = 0
    is_live: bool = False
    missing: int = 0


class LiveOutput:
    """Which attempts of a worker are shown, and what is put on the topic of them.

    Args:
        me: This worker.
        holding: What it holds, by key.
        show: Asks the executors for output.
        put: Has a message sent; returns whether there was room for it.
    """

    def __init__(
        self,
        me: str,
        holding: Mapping[str, Holding],
        show: Callable[[Show], None],
        put: Callable[[Written], bool],
    ) -> None:
        self._me, self._holding, self._show, self._put = me, holding, show, put
        self._runs: dict[str, _Followed] = {}
        self._shown: dict[str, _Shown] = {}

    def follow(self, follow: Follow, mono: float) -> None:
        """Somebody follows a run: show what it writes, if it runs here, or once it does."""
        self._runs = {run: one for run, one in self._runs.items() if one.until > mono}
        if follow.run not in self._runs and not self._has_room():
            return
        followed = self._runs.setdefault(follow.run, _Followed(mono))
        followed.until = mono + SHOWN_S
        is_new = follow.follower not in followed.followers
        keys = [key for key, held in self._holding.items() if held.run.id == follow.run]
        started = [key for key in keys if self._holding[key].started]
        is_soon = any(self._is_soon(key, mono) for key in started)
        for key in started:
            self._ask(key, followed.until, mono, from_start=is_new and not is_soon)
        if is_new and not is_soon and len(followed.followers) < MOST_FOLLOWERS:
            followed.followers.add(follow.follower)

    def _has_room(self) -> bool:
        """Make room for one more run, if need be: of runs that are not here the oldest goes."""
        if len(self._runs) < MOST_RUNS:
            return True
        here = {held.run.id for held in self._holding.values()}
        elsewhere = next((run for run in self._runs if run not in here), None)
        if elsewhere is not None:
            del self._runs[elsewhere]
        return elsewhere is not None

    def started(self, key: str, mono: float) -> None:
        """An attempt has started: show it from its beginning, if its run is followed."""
        held = self._holding.get(key)
        followed = self._runs.get(held.run.id) if held is not None else None
        if followed is not None and followed.until > mono:
            self._ask(key, followed.until, mono, from_start=True)

    def so_far(self, report: SoFar) -> None:
        """Put what is kept so far, for who has come only now."""
        shown = self._shown.get(report.key)
        if shown is None:
            return
        shown.is_live = True
        parts = [*_pieces(report.head, report.omitted), *(_pieces(report.tail, 0, is_needed=False))]
        for number, (text, left_out) in enumerate(parts, start=1):
            self._say(shown, text=text, left_out=left_out, so_far=number)

    def wrote(self, report: Wrote, mono: float) -> None:
        """Put what was just written."""
        shown = self._shown.get(report.key)
        if shown is None or not shown.is_live:
            return
        if shown.until < mono:
            del self._shown[report.key]
            return
        for text, left_out in _pieces(report.text, report.left_out):
            self._say(shown, text=text, left_out=left_out)

    def ended(self, key: str) -> None:
        """Say that an attempt writes no more."""
        shown = self._shown.pop(key, None)
        if shown is not None and shown.is_live:
            self._say(shown, is_end=True)

    def _is_soon(self, key: str, mono: float) -> bool:
        shown = self._shown.get(key)
        return shown is not None and mono - shown.began_at < _SO_FAR_EVERY_S

    def _ask(self, key: str, until: float, mono: float, *, from_start: bool) -> None:
        run, shown = self._holding[key].run, self._shown.get(key)
        if shown is None or shown.until < mono:
            number = shown.number if shown is not None else 0
            shown = self._shown[key] = _Shown(run.id, run.attempt, until, mono, number)
            from_start = True
        shown.until = until
        if from_start:
            shown.began_at = mono
        self._show(Show(key, until, from_start))

    def _say(self, shown: _Shown, **about: Any) -> None:
        if shown.missing and self._is_put(shown, left_out=shown.missing):
            shown.missing = 0
        if shown.missing or not self._is_put(shown, **about):
            shown.missing += len(about.get("text", "")) + about.get("left_out", 0)

    def _is_put(self, shown: _Shown, **about: Any) -> bool:
        number = shown.number + 1
        is_put = self._put(
            Written(run=shown.run, attempt=shown.attempt, worker=self._me, number=number, **about)
        )
        shown.number += is_put
        return is_put


def _pieces(text: str, left_out: int, *, is_needed: bool = True) -> Iterator[tuple[str, int]]:
    """Yield text in pieces that fit a message, the last with what was left out behind it."""
    for start in range(0, max(len(text), int(is_needed)), MOST_TEXT):
        piece = text[start : start + MOST_TEXT]
        yield piece, left_out if start + MOST_TEXT >= len(text) else 0
