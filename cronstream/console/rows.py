"""Stories as they stand in the projection: JSON without what commands wrote."""

from collections.abc import Iterable
from dataclasses import fields, replace
from operator import attrgetter
from typing import Any, Final

import orjson
from pydantic import TypeAdapter

from cronstream.history.story import AttemptStory, RunStory

_STORY: Final = TypeAdapter(RunStory)
_OF_RUN: Final = [one.name for one in fields(RunStory) if one.name not in ("command", "attempts")]
_OF_ATTEMPT: Final = [one.name for one in fields(AttemptStory) if one.name not in ("head", "tail")]
_RUN, _ATTEMPT = attrgetter(*_OF_RUN), attrgetter(*_OF_ATTEMPT)


def write_story(story: RunStory) -> bytes:
    """Return a story as it is kept: without its command, which many runs share, and its output."""
    said = _brief(_OF_RUN, _RUN(story))
    attempts = [
        {**_brief(_OF_ATTEMPT, _ATTEMPT(one)), "number": one.number} for one in story.attempts
    ]
    return orjson.dumps({**said, "attempts": attempts} if attempts else said)


def read_story(text: bytes, command: str | list[str] | None) -> RunStory:
    """Return the story that was kept, with its command.

    Raises:
        ValueError: If it is none.
    """
    return replace(_STORY.validate_json(text), command=command)


def _brief(names: Iterable[str], values: Iterable[Any]) -> dict[str, Any]:
    """Return the fields that say something; an exit status of 0 does."""
    return {
        name: value
        for name, value in zip(names, values, strict=True)
        if value is not None and value is not False and value not in ("", ())
    }
