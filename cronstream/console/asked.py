"""What a request asks a page for; what cannot be read is as if it was not there."""

import re
from datetime import datetime
from typing import Final

from aiohttp import web

from cronstream.console import pages
from cronstream.console.answers import Wanted
from cronstream.console.pages import JobsWanted
from cronstream.history.story import RunState

_MOST_START: Final = 1_000_000


def jobs_wanted(request: web.Request) -> JobsWanted:
    """Return which jobs a request asks for."""
    asked = request.query
    start = asked.get("start", "0")
    return JobsWanted(
        asked.get("q", ""),
        asked.get("cluster", ""),
        "trouble" in asked,
        min(int(start), _MOST_START) if re.fullmatch("[0-9]{1,9}", start) else 0,
    )


def runs_wanted(request: web.Request, state: RunState | None = None) -> Wanted:
    """Return which runs a request asks for: in a state, or in that which it says."""
    asked = request.query
    said = asked.get("state", "")
    if state is None and said in set(RunState):
        state = RunState(said)
    return Wanted(
        job=asked.get("job") or None,
        cluster=asked.get("cluster") or None,
        state=state,
        reason=asked.get("reason") or None,
        before=_moment(asked.get("before", "")),
        limit=pages.ROWS,
    )


def _moment(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError:
        return None
    return moment if moment.tzinfo else None
