"""Stories as they stand in the projection: JSON without what commands wrote."""

from dataclasses import replace
from typing import Any, Final

import orjson
from pydantic import TypeAdapter

from cronstream.history.story import RunStory

_STORY: Final = TypeAdapter(RunStory)


def write_story(story: RunStory) -> bytes:
    """Return a story as it is kept: without its command, which many runs share, and its output."""
    attempts = tuple(replace(one, head="", tail="") for one in story.attempts)
    fields = orjson.loads(orjson.dumps(replace(story, command=None, attempts=attempts)))
    fields["attempts"] = [
        {**_brief(attempt), "number": attempt["number"]} for attempt in fields["attempts"]
    ]
    return orjson.dumps(_brief(fields))


def read_story(text: bytes, command: str | list[str] | None) -> RunStory:
    """Return the story that was kept, with its command.

    Raises:
        ValueError: If it is none.
    """
    return replace(_STORY.validate_json(text), command=command)


def _brief(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that say something; an exit status of 0 does."""
    said = {name: value for name, value in fields.items() if value not in ("", [])}
    return {name: value for name, value in said.items() if value is not None and value is not False}
