"""The small installation of a drill: one process of each role, and what can be done to them.

Its Kafka has three brokers, as in production, so that one may be missed.
"""

import asyncio
import os
import random
import signal
from contextlib import suppress
from pathlib import Path

from chaos.exporter import attach, exporter
from chaos.fleet import health
from chaos.poison import Poisoner
from cronstream import clock
from cronstream.broker.cluster import EmbeddedCluster
from cronstream.broker.guard import Guard
from cronstream.broker.ports import free_port
from cronstream.core.trust.keys import SCHEDULE, TrustedKey
from cronstream.core.wire.naming import Role
from cronstream.errors import CronstreamError
from cronstream.settings import Settings, settings
from cronstream.supervisor.child import ProcessChild
from cronstream.supervisor.command import Command, Installation, worker_command
from cronstream.trust.signer import new_key

CLUSTER = "drill"
_SLOTS = 4
_STOP_WITHIN_S = 10.0
_BROKERS = 3
_WELL_WITHIN_S = 120.0
_LOOK_AGAIN_S = 0.5
#: What processes have in their environment: all of them, and some.
_VARIABLES = {"CRONSTREAM_REPLICATION_FACTOR": "3", "CRONSTREAM_MIN_INSYNC_REPLICAS": "2"}
_OWN_VARIABLES = {
    "strict": {"CRONSTREAM_SIGNATURES": "require", "CRONSTREAM_TRUSTED_KEYS": "trusted-keys"}
}
#: cronstream with a clock that is 3 s ahead: less than from which on a worker claims nothing.
_AHEAD = """
from datetime import timedelta
from cronstream import clock
now = clock.now
clock.now = lambda: now() + timedelta(seconds=3)
from cronstream.application import app
"""
#: Commands look for files, by which a drill has them fail, hang, be slow or not end.
_CRONTAB = """
version: 1
clusters: {{{cluster}: }}
defaults: {{cluster: {cluster}}}
jobs:
  - {{name: {name}, schedule: "@every 2s", command: "test ! -e {folder}/fails", expect_within: 1m}}
  - name: stuck
    schedule: "@every 5s"
    command: "trap '' TERM; while test -e {folder}/stuck; do sleep 1; done"
    timeout: 2s
    grace: 2m
    overlap: skip
  - name: full
    schedule: "@every 1s"
    command: "test ! -e {folder}/slow || sleep 6; while test -e {folder}/full; do sleep 1; done"
  - name: again
    schedule: "@every 1s"
    max_attempts: 2
    backoff: {{first: 1s}}
    command: "test ! -e {folder}/again || test $CRONSTREAM_ATTEMPT = 2;
      e=$?; while test -e {folder}/again -a $e = 0; do sleep 1; done; exit $e"
"""
#: What a hand that slipped leaves of a crontab.
_MOST_OF_IT_GONE = """
version: 1
clusters: {{{cluster}: }}
jobs: [{{name: full, cluster: {cluster}, schedule: "@every 1s", command: "true"}}]
"""
_ROLES = {
    "scheduler": Role.of(None, retry=False),
    "worker": Role.of(CLUSTER, retry=False),
    "retry": Role.of(CLUSTER, retry=True),
    "other": Role.of(None, retry=False),
    "ahead": Role.of(CLUSTER, retry=False),
    "strict": Role.of(CLUSTER, retry=False),
}
#: Who is there for a drill only.
_GUESTS = frozenset({"other", "ahead", "strict"})


class Stage:
    """The processes, by what a drill calls them, their crontab, and their Kafka.

    Attributes:
        kafka: Three brokers.
        exporters: Where Prometheus finds what they say of themselves.
    """

    def __init__(self, folder: Path, guard: Guard) -> None:
        self._folder, self._guard = folder, guard
        folder.mkdir(parents=True, exist_ok=True)
        self.kafka = EmbeddedCluster(
            folder / "kafka", _BROKERS, guard=guard, say=_nothing, jar_cache=settings().jars
        )
        self.exporters = attach(self.kafka.brokers.values(), exporter())
        self._ports = {name: free_port() for name in _ROLES}
        self._children: dict[str, ProcessChild] = {}
        self._meant: set[str] = set()
        (folder / "ahead.py").write_text(_AHEAD)
        self._write("crontab.yaml", self._crontab("fine"))
        self._write("other.yaml", self._crontab("other"))
        key = new_key(folder / "scheduler.key")
        line = TrustedKey(key.id, key.public, frozenset({SCHEDULE})).line()
        self._write("trusted-keys", f"{line}\n")

    @property
    def ports(self) -> list[int]:
        """The web ports of the processes that are meant to be there."""
        return [self._ports[name] for name in _ROLES if name in self._meant]

    async def open(self) -> None:
        """Start Kafka and one process of each role, and wait until all are well.

        Raises:
            CronstreamError: One does not come to that.
        """
        await self.kafka.start()
        for name in ("scheduler", "worker", "retry"):
            await self.start(name)
        end = clock.monotonic() + _WELL_WITHIN_S
        while not all([(await health(port))[0] for port in self.ports]):
            if clock.monotonic() > end:
                raise CronstreamError(f"not all processes are well; see {self._folder}")
            await asyncio.sleep(_LOOK_AGAIN_S)

    async def close(self) -> None:
        """End all."""
        for child in self._children.values():
            await child.kill()
        await self.kafka.kill()

    # -- what a drill does --------------------------------------------------------------------

    async def start(self, name: str) -> None:
        """Start a process; it is meant to be there from then on."""
        crontab = "other.yaml" if name == "other" else "crontab.yaml"
        own = Installation(
            self.kafka.url, self._folder / crontab, self._folder / "data" / name, _SLOTS
        )
        command = worker_command(own, _ROLES[name], self._ports[name])
        app = "ahead" if name == "ahead" else "cronstream"
        argv = tuple(app if word == "cronstream" else word for word in command.argv)
        log = (self._folder / f"{name}.log").open("a")

        def note(text: str) -> None:
            log.write(f"{text}\n")
            log.flush()

        variables = {**command.variables, **_VARIABLES, **_OWN_VARIABLES.get(name, {})}
        self._children[name] = await ProcessChild.start(
            Command(argv, variables, self._folder), note, self._guard, _STOP_WITHIN_S
        )
        self._meant.add(name)

    async def kill(self, name: str) -> None:
        """Kill a process; one that was there for the drill only is not missed."""
        await self._children[name].kill()
        self._meant -= {name} & _GUESTS

    async def pause(self, name: str) -> None:
        """Have a process stand still."""
        os.kill(self._children[name].pid, signal.SIGSTOP)

    async def resume(self, name: str) -> None:
        """Let it go on."""
        with suppress(ProcessLookupError):
            os.kill(self._children[name].pid, signal.SIGCONT)

    async def switch(self, what: str, *, on: bool) -> None:
        """Have commands fail, hang, be slow, or not end; or no longer."""
        path = self._folder / what
        if on:
            path.touch()
        else:
            path.unlink(missing_ok=True)

    async def edit(self, text: str | None) -> None:
        """Put something into the crontab; None for what was there before."""
        self._write("crontab.yaml", self._crontab("fine") if text is None else text)

    async def cut(self) -> None:
        """Take most of the jobs out of the crontab."""
        await self.edit(_MOST_OF_IT_GONE.format(cluster=CLUSTER))

    async def lose_a_broker(self) -> None:
        """Kill one of the brokers."""
        await self.kafka.brokers[_BROKERS].kill()

    async def return_the_broker(self) -> None:
        """Start it again."""
        await self.kafka.brokers[_BROKERS].start()

    async def poison(self) -> None:
        """Put malformed messages on the logs."""
        poisoner = Poisoner(Settings(broker=self.kafka.url), random.Random(1))  # noqa: S311 - any will do
        await poisoner.start()
        await poisoner.pour(CLUSTER)
        await poisoner.stop()

    # -- steps --------------------------------------------------------------------------------

    def _crontab(self, name: str) -> str:
        return _CRONTAB.format(cluster=CLUSTER, name=name, folder=self._folder)

    def _write(self, name: str, text: str) -> None:
        new = self._folder / f"{name}.new"
        new.write_text(text)
        new.replace(self._folder / name)


def _nothing(_: str) -> None:
    """Say nothing of how Kafka starts."""
