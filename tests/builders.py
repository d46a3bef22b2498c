"""Values that tests start from, with only what matters said at each place."""

from datetime import UTC, datetime, timedelta
from typing import Any

from cronstream.core.wire.enumerations import Cause
from cronstream.core.wire.naming import DEFAULT_PREFIX, Names
from cronstream.core.wire.runs import Run

#: What topics and groups are called where nobody has set another prefix.
NAMES = Names(DEFAULT_PREFIX)
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """Return a time so many seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def a_run(**fields: Any) -> Run:
    """Return a first attempt, due at noon; with a cause if `revision` is None."""
    due = fields.get("scheduled_at", NOON)
    values: dict[str, Any] = {
        "job": "backup",
        "cluster": "cluster-a",
        "scheduled_at": due,
        "not_before": due,
        "command": "true",
        "revision": 1,
        **fields,
    }
    if values["revision"] is None:
        values.setdefault("cause", Cause.RUN_NOW)
    if "attempts_left" not in values:
        values["attempts_left"] = values.get("max_attempts", 1)
    return Run(**values)
