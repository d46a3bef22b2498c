"""Stories as they stand in the projection: JSON without what commands wrote."""

from collections.abc import Callable
from dataclasses import MISSING, fields, replace
from operator import attrgetter
from typing import Any, Final

import orjson
from pydantic import TypeAdapter

from cronstream.core.wire.enumerations import FAILURES
from cronstream.history.story import AttemptStory, RunStory

_STORY: Final = TypeAdapter(RunStory)


class _Brief:
    """Writes values of a class as JSON objects, without fields that have their defaults.

    Args:
        defaults: The default of each field that has one, and something else for the others.
    """

    def __init__(self, defaults: dict[str, Any]) -> None:
        self._defaults = tuple(defaults.items())
        self._values: Callable[[object], tuple[Any, ...]] = attrgetter(*defaults)

    def __call__(self, value: AttemptStory | RunStory) -> dict[str, Any]:
        # A default is the same object nearly always; where it is not, it just stands there.
        told = zip(self._defaults, self._values(value), strict=True)
        return {name: one for (name, default), one in told if one is not default}


#: When a worker was heard is not kept: it would soon be long ago.
_APART: Final = ("command", "attempts", "heard_at")
_of_run: Final = _Brief(
    {one.name: one.default for one in fields(RunStory) if one.name not in _APART}
)
_of_attempt: Final = _Brief(
    {
        name: AttemptStory._field_defaults.get(name, MISSING)
        for name in AttemptStory._fields
        if name not in ("head", "tail")
    }
)


def write_story(story: RunStory) -> bytes:
    """Return a story as it is kept: without its command, which many runs share, and its output."""
    said = _of_run(story)
    if story.attempts:
        said["attempts"] = [_of_attempt(one) for one in story.attempts]
    return orjson.dumps(said)


def read_story(text: bytes, command: str | list[str] | None) -> RunStory:
    """Return the story that was kept, with its command.

    Raises:
        ValueError: If it is none.
    """
    return replace(_STORY.validate_json(text), command=command)


def merged(kept: RunStory, story: RunStory) -> RunStory:
    """Return what is known of a run that has its verdict, where there is more to say.

    Its two logs are read in no common order. So the fold may have forgotten what one of them says
    of a run long ended by the time that it comes to the other.
    """
    base, other = (kept, story) if story.partial and not kept.partial else (story, kept)
    numbers = {attempt.number for attempt in base.attempts}
    more = [one for one in other.attempts if one.outcome and one.number not in numbers]
    attempts = tuple(sorted((*base.attempts, *more), key=lambda one: one.number or 0))
    last = base if base.state.settled else other
    return replace(
        base,
        state=last.state,
        changed_at=last.changed_at,
        reason=base.reason or other.reason,
        not_before=last.not_before,
        command=base.command or other.command,
        attempts=attempts,
        attempt=max(base.attempt, other.attempt),
        failures=sum(one.outcome in FAILURES for one in attempts),
    )
