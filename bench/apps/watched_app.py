"""cronstream's application, which says how long its event loop stands still.

A thread of its own looks; where the loop was then is reported with it.
"""

import asyncio
import os
import sys
import threading
import time
from typing import Any

import orjson

from cronstream.application import app
from cronstream.worker import WorkerDuty

#: Reported from here on.
_LEAST_S = 0.1
_LOOK_S = 0.01


def _watch(main: int) -> None:
    began: float | None = None
    pending, asked_at, where = threading.Event(), 0.0, ""
    told = False
    while True:
        time.sleep(_LOOK_S)
        now = time.monotonic()
        recovery: Any = app.tables._recovery if app.started else None
        if began is None and recovery is not None and recovery.restoring_since is not None:
            began = recovery.restoring_since
        owners = app.duty.worker.member.owners if isinstance(app.duty, WorkerDuty) else {}
        if not told and began is not None and owners and owners[0].ready:
            told = True
            _say("barrier", seconds=round(now - began, 2))
        if asked_at and pending.is_set():
            if now - asked_at > _LEAST_S + _LOOK_S:
                _say("stalled", seconds=round(now - asked_at, 2), where=where)
            asked_at = 0.0
        if not asked_at and app.started:
            pending.clear()
            asked_at = now
            app.loop.call_soon_threadsafe(pending.set)
        elif asked_at and now - asked_at > 0.05:
            where = _frames(main)


def _frames(thread: int) -> str:
    frame: Any = sys._current_frames().get(thread)
    names = list[str]()
    while frame is not None and len(names) < 8:
        names.append(f"{frame.f_code.co_qualname}:{frame.f_lineno}")
        frame = frame.f_back
    return " < ".join(names)


def _say(action: str, **fields: Any) -> None:
    line = {"time": time.strftime("%H:%M:%S"), "action": action, **fields}
    # What goes to `sys.stderr` is logged, once Faust has begun: it would be a sentence in a line.
    os.write(2, orjson.dumps(line) + b"\n")


threading.Thread(target=_watch, args=(threading.main_thread().ident or 0,), daemon=True).start()
__all__ = ["app", "asyncio"]
