"""Audits that somebody asks for: one at a time, beside the pages, and what the last has found.

An audit reads whole logs and works out all due times again, which keeps a processor busy: it has
a thread of its own, with a loop of its own, so that pages are answered meanwhile.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from aiohttp import web
from aiokafka.errors import KafkaError

from cronstream import clock
from cronstream.console.acting import Done, Form
from cronstream.console.output import StartableReader
from cronstream.console.store import Store
from cronstream.core.audit.finding import FAULTS, Finding, Kind, Window
from cronstream.core.wire.control import Control
from cronstream.core.wire.runs import Job
from cronstream.errors import AskedError, CronstreamError
from cronstream.history.auditing import Watch, audit

#: Of the form that asks for one.
FIELDS: Final = frozenset({"hours"})
#: Audits of so many hours can be asked for.
_HOURS: Final = ("1", "24", "168")
#: Of each kind so many findings are kept, and the others counted.
_SHOWN: Final = 20
_LOOK_S: Final = 0.05
_MOMENTS: Final = ("since", "until", "began_at", "ended_at")


@dataclass(slots=True)
class Running:
    """An audit that is under way.

    Attributes:
        done: Messages that it has read.
        total: How many there are.
    """

    window: Window
    began_at: datetime
    done: int = 0
    total: int = 0


class Audits:
    """Makes audits.

    Args:
        store: Where it is kept what the last one has found.
        reader: Returns a reader of its own, not yet connected.
        believes: Whether schedulers believe a job.
        on_end: Is called when one has ended.

    Attributes:
        problem: Why the last one came to no end; None if it did.
    """

    def __init__(
        self,
        store: Store,
        reader: Callable[[], StartableReader],
        believes: Callable[[Job | Control], bool],
        on_end: Callable[[], None] = lambda: None,
    ) -> None:
        self._store, self._reader, self._believes = store, reader, believes
        self._on_end = on_end
        self._running: Running | None = None
        self._task: asyncio.Task[None] | None = None
        self._inner: tuple[asyncio.AbstractEventLoop, asyncio.Task[Any]] | None = None
        self.problem: str | None = None

    def start(self, window: Window) -> bool:
        """Begin an audit; return whether it was begun: not while another one is under way."""
        if self._running is not None:
            return False
        self._running, self.problem = Running(window, clock.now()), None
        self._task = asyncio.create_task(self._go(self._running))
        return True

    async def ask(self, _: web.Request, form: Form, by: str) -> Done:
        """Begin an audit of the due times of the last hours, as a form asks."""
        hours = form.one("hours")
        if hours not in _HOURS:
            raise AskedError(f"an audit is of the last {', '.join(_HOURS)} hours")
        until = clock.now()
        is_begun = self.start(Window(until - timedelta(hours=int(hours)), until))
        what = "An audit was begun" if is_begun else "Another audit is under way: one at a time"
        return Done(what, "/audit", {"begun": is_begun, "by": by})

    def fields(self) -> dict[str, Any]:
        """Return which audit is under way, and what the last one has found."""
        running, last = self._running, self._store.last_audit()
        if last is not None:
            last |= {name: datetime.fromisoformat(last[name]) for name in _MOMENTS}
        return {
            "running": running
            and {
                "since": running.window.since,
                "until": running.window.until,
                "began_at": running.began_at,
                "done": running.done,
                "total": running.total,
            },
            "last": last,
            "problem": self.problem,
        }

    async def stop(self) -> None:
        """End what is under way."""
        while self._task is not None and not self._task.done():
            inner, self._inner = self._inner, None  # None until its thread has begun.
            if inner is not None:
                loop, task = inner
                with suppress(RuntimeError):  # Its loop has just ended.
                    loop.call_soon_threadsafe(task.cancel)
            await asyncio.wait([self._task], timeout=_LOOK_S)

    async def _go(self, running: Running) -> None:
        try:
            report = await asyncio.to_thread(asyncio.run, self._audit(running))
            await asyncio.to_thread(self._store.keep_audit, report)
        except (CronstreamError, KafkaError, TimeoutError, OSError) as error:
            self.problem = str(error) or "Kafka does not answer"
        except Exception as error:
            # Nobody waits for this task: it would be as if none had been asked for.
            self.problem = f"an error of cronstream's: {type(error).__name__}: {error}"
            raise
        finally:
            self._running = self._inner = None
            self._on_end()

    async def _audit(self, running: Running) -> dict[str, Any]:
        """Make it; in the thread."""
        task = asyncio.current_task()
        if task is not None:
            self._inner = asyncio.get_running_loop(), task
        found = Found()

        def show(done: int, total: int) -> None:
            running.done, running.total = done, total

        watch = Watch(found.add, show, lambda _: None, self._believes)
        reader = self._reader()
        try:
            await reader.start()
            tally = await audit(reader, running.window, watch)
        finally:
            await reader.stop()
        ended_at = clock.now()
        return {
            "since": running.window.since,
            "until": running.window.until,
            "began_at": running.began_at,
            "ended_at": ended_at,
            "messages": running.total,
            "clean": tally.is_clean(),
            **tally.summary(),
            "findings": found.fields(),
        }


class Found:
    """Keeps some findings of each kind, the worst kinds first."""

    def __init__(self) -> None:
        self._some: dict[Kind, list[Finding]] = {kind: [] for kind in Kind}
        self._count: Counter[Kind] = Counter()

    def add(self, finding: Finding) -> None:
        """Take one."""
        self._count[finding.kind] += 1
        if len(self._some[finding.kind]) < _SHOWN:
            self._some[finding.kind].append(finding)

    def fields(self) -> list[dict[str, Any]]:
        """Return each kind of which there is something."""
        return [
            {
                "kind": kind.value,
                "is_fault": kind in FAULTS,
                "count": self._count[kind],
                "some": [
                    {"run": one.run, "job": one.job, "cluster": one.cluster, "text": one.text}
                    for one in some
                ],
            }
            for kind, some in self._some.items()
            if some
        ]
