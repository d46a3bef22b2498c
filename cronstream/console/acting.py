"""What people change from the pages: it goes the way the commands go (`cronstream.steering`)."""

import asyncio
from collections.abc import Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, Final

from cronstream import clock
from cronstream.console.installed import Watching
from cronstream.console.words import place
from cronstream.core.wire.control import Control
from cronstream.core.wire.enumerations import ControlAction
from cronstream.errors import AskedError, NotFoundError, nearest
from cronstream.history.scope import clusters
from cronstream.settings import Settings
from cronstream.steering.cancelling import cancel_runs, target_of
from cronstream.steering.connecting import RunPublisher, StartableReader, Ways, connected
from cronstream.steering.pausing import PauseAsked, is_in_force, steer, until_of
from cronstream.steering.replaying import replay
from cronstream.steering.running import RunAsked, run_now

#: A scheduler looks every two seconds, and so does the console at what it has made of it.
_IN_FORCE_S: Final = 10.0
_LOOK_S: Final = 0.1
_TICKED: Final = frozenset({"1", "true", "yes", "on"})
_NOT_TICKED: Final = frozenset({"", "0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class Form:
    """What somebody has filled in: the values of each field, in order."""

    values: dict[str, list[str]]

    def see_that_they_are(self, names: Collection[str]) -> None:
        """See that there is no field but these: with one that is misspelt, something else is done.

        Raises:
            AskedError: If there is one.
        """
        for name in self.values:
            if name not in names:
                there = f"there are {', '.join(sorted(names))}" if names else "there is none"
                hint = nearest(name, names)
                raise AskedError(f"no field is called {name[:40]!r} here; {hint or there}")

    def one(self, name: str) -> str:
        """Return what a field says, without blanks around it; empty if it is not there."""
        return self.values.get(name, [""])[0].strip()

    def is_set(self, name: str) -> bool:
        """Return whether a box is ticked.

        Raises:
            AskedError: If the field says something else.
        """
        said = self.one(name).lower()
        if said not in _TICKED | _NOT_TICKED:
            raise AskedError(f"{name} is {said[:20]!r}: write 1 for yes, and nothing for no")
        return said in _TICKED

    def all(self, name: str) -> tuple[str, ...]:
        """Return all values of a field that are not empty."""
        return tuple(filter(None, self.values.get(name, ())))


@dataclass(frozen=True, slots=True)
class Done:
    """What was done.

    Attributes:
        what: In one sentence.
        place: The address of the page that shows it.
        fields: The same for programs.
        run: The run that came of it, if one did.
    """

    what: str
    place: str
    fields: dict[str, Any]
    run: str | None = None


class Acting:
    """Does what is asked for on the pages.

    Args:
        settings: Where Kafka is, and what is signed with.
        watching: What is in force.
        ways: How to get at Kafka.
    """

    def __init__(self, settings: Settings, watching: Watching, ways: Ways | None = None) -> None:
        self._settings, self._watching, self._ways = settings, watching, ways or Ways()

    async def run_now(self, job: str, form: Form, by: str) -> Done:
        """Run a job at once, with what is given to that run."""
        asked = RunAsked(job, by, form.one("cluster") or None, form.all("arg"), form.all("env"))
        async with self._reading() as reader:
            run, _ = await run_now(reader, self._publishing, asked)
        fields = {"run": run.id, "job": run.job, "cluster": run.cluster, "by": by}
        return Done("A run was asked for:", f"/jobs/{place(job)}", fields, run.id)

    async def steer(self, action: ControlAction, job: str | None, form: Form, by: str) -> Done:
        """Pause or resume a job, or without one the jobs of the cluster that the form names."""
        until, cluster = form.one("until"), None if job else form.one("cluster")
        asked = PauseAsked(
            action,
            job,
            cluster,
            by,
            form.one("reason"),
            until_of(until, clock.now()) if until else None,
            form.is_set("retries"),
        )
        async with self._reading() as reader:
            control, names = await steer(reader, self._publishing, asked)
        is_done = await self._is_in_force(control, names)
        fields = {"action": action, "jobs": names, "by": by, "in_force": is_done}
        where = f"/jobs/{place(job)}" if job else f"/jobs?cluster={place(cluster or '')}"
        return Done(self._what_was_steered(control, names, is_done=is_done), where, fields)

    async def replay(self, runs: Sequence[str], where: str, by: str) -> Done:
        """Run discarded runs once more."""
        if not runs:
            raise AskedError("no run was chosen: tick those that are to be replayed")
        async with self._reading() as reader:
            made = await replay(reader, self._publishing, runs, by)
        fields = {"by": by, "runs": [{"replays": old, "run": new.id} for old, new in made]}
        what = "It is replayed:" if len(made) == 1 else f"{len(made)} runs are replayed"
        return Done(what, where, fields, made[0][1].id if len(made) == 1 else None)

    async def cancel(self, run: str, by: str) -> Done:
        """Ask that a run ends."""
        async with self._reading() as reader:
            target = await target_of(reader, await clusters(reader), run)
            if target is None or target.id != run:
                raise NotFoundError(
                    f"run {run!r} has its verdict, or there is none of this id: nothing was done"
                )
            await cancel_runs(reader, self._publishing, by, [target])
        fields = {"run": run, "cluster": target.place.cluster, "before": target.before, "by": by}
        where = f"/runs/{place(run)}"
        what = f"It was asked to end; it was {target.before}"
        return Done(f"{what} on {target.holder}" if target.holder else what, where, fields)

    def _reading(self) -> AbstractAsyncContextManager[StartableReader]:
        return connected(self._settings, self._ways.reader, self._ways)

    def _publishing(self) -> AbstractAsyncContextManager[RunPublisher]:
        return connected(self._settings, self._ways.publisher, self._ways)

    async def _is_in_force(self, control: Control, names: Sequence[str]) -> bool:
        """Wait until the jobs are as was asked, for a while; return whether they are."""
        until = clock.monotonic() + _IN_FORCE_S
        while True:
            jobs = self._watching.found.jobs
            if all(is_in_force(jobs[name], control) for name in names if name in jobs):
                return True
            if clock.monotonic() > until:
                return False
            await asyncio.sleep(_LOOK_S)

    def _what_was_steered(self, control: Control, names: Sequence[str], *, is_done: bool) -> str:
        about = f"Job {names[0]}" if control.job else f"Cluster {control.cluster}"
        if not is_done:
            return (
                f"{about}: no scheduler has taken it up within {_IN_FORCE_S:.0f} s; it stands on "
                "Kafka, and holds once one runs"
            )
        if control.is_pause:
            return f"{about} is paused"
        jobs = self._watching.found.jobs
        if any(name in jobs and jobs[name].paused_to is not None for name in names):
            return f"{about} was resumed; what else has paused it is shown with each job"
        return f"{about} goes on"
