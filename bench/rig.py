"""A real Kafka and real processes of cronstream, in a temporary folder."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from bench.machine import Cost, cost
from cronstream.broker.embedded import EmbeddedBroker
from cronstream.broker.guard import Guard
from cronstream.broker.ports import free_port
from cronstream.core.wire.naming import DEFAULT_PREFIX, Names
from cronstream.logs import read_line
from cronstream.settings import Settings, settings
from cronstream.supervisor.child import ProcessChild
from cronstream.supervisor.command import Command

#: What topics and groups are called: nothing is set for what is measured.
NAMES = Names(DEFAULT_PREFIX)
_DRAIN_S = 10.0


@dataclass(eq=False)
class Part:
    """One process of cronstream, and what it has said."""

    name: str
    child: ProcessChild | None = None
    lines: int = 0
    #: The lines that it has said last, as `cronstream.logs.read_line` gives them.
    recent: list[dict[str, Any]] = field(default_factory=list)
    log: Path | None = None
    _heard: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def pid(self) -> int:
        assert self.child is not None
        return self.child.pid

    @property
    def executors(self) -> list[int]:
        """The processes of its executors."""
        found = []
        for child in psutil.Process(self.pid).children():
            with suppress(psutil.NoSuchProcess):
                if "cronstream.executor" in child.cmdline():
                    found.append(child.pid)
        return found

    def hear(self, line: str) -> None:
        self.lines += 1
        said = read_line(line)
        if self.lines < 400 or "run" not in said:
            self.recent.append(said)
        if len(self.recent) > 4000:
            del self.recent[:2000]
        self._heard.set()

    def has_said(self, action: str, **fields: Any) -> bool:
        """Whether one of its last lines has this action, and these fields."""
        wanted = {"action": action, **fields}.items()
        return any(wanted <= said.items() for said in self.recent)

    async def said(self, action: str, *, within_s: float = 120.0, **fields: Any) -> None:
        """Wait until it has said that."""
        try:
            async with asyncio.timeout(within_s):
                while not self.has_said(action, **fields):
                    self._heard.clear()
                    await self._heard.wait()
        except TimeoutError:
            what = f"{action} {fields or ''}"
            raise TimeoutError(f"{self.name} never said {what}: {self.recent[-20:]}") from None

    def costs(self) -> dict[str, Cost]:
        """Of the process itself, and of its executors if it has any."""
        found = {self.name: cost([self.pid])}
        if executors := self.executors:
            found["executor"] = cost(executors)
        return found


@dataclass(eq=False)
class Rig:
    """An installation: one Kafka, and the parts that have been started."""

    folder: Path
    broker: EmbeddedBroker
    guard: Guard
    variables: dict[str, str]
    parts: list[Part] = field(default_factory=list)

    @property
    def crontab(self) -> Path:
        return self.folder / "crontab.yaml"

    @property
    def settings(self) -> Settings:
        more = {name.removeprefix("CRONSTREAM_").lower(): v for name, v in self.variables.items()}
        return Settings(broker=self.broker.url, given_data_dir=self.folder / "data", **more)

    def write(self, jobs: list[dict[str, object]], *clusters: str) -> None:
        """Put a crontab in force; JSON is YAML too."""
        text = {"version": 1, "clusters": dict.fromkeys(("a", "b", "c", *clusters)), "jobs": jobs}
        fresh = self.crontab.with_suffix(".new")
        fresh.write_text(json.dumps(text))
        fresh.replace(self.crontab)

    async def start(
        self, name: str, *options: str, waits: bool = True, app: str = "cronstream"
    ) -> Part:
        """Start ``faust -A cronstream worker`` with options, and wait until it is ready."""
        part = Part(name)
        variables = {
            "CRONSTREAM_BROKER": self.broker.url,
            "CRONSTREAM_CRONTAB": str(self.crontab),
            "CRONSTREAM_DATA_DIR": str(self.folder / "data" / f"{name}-{len(self.parts)}"),
            "CRONSTREAM_ADOPT": "1",
            "CRONSTREAM_CLUSTER": "",
            "CRONSTREAM_RETRY": "",
            "CRONSTREAM_LOG_FORMAT": "json",
            "PYTHONUNBUFFERED": "1",
            **self.variables,
        }
        argv = (sys.executable, "-m", "faust", "--quiet", "-A", app, "worker", *options)
        command = Command(argv, variables, self.folder)
        part.child = await ProcessChild.start(command, part.hear, self.guard, _DRAIN_S)
        self.parts.append(part)
        if waits:
            await part.said("assigned" if "--cluster" in options else "shard-taken")
        return part

    async def stop(self, part: Part) -> None:
        self.parts.remove(part)
        if part.child is not None:
            await part.child.stop()

    async def kill(self, part: Part) -> None:
        self.parts.remove(part)
        if part.child is not None:
            await part.child.kill()

    def costs(self) -> dict[str, Cost]:
        """Of every part, its executor, and Kafka."""
        found = {"kafka": cost([self.broker.pid or 0])}
        for part in self.parts:
            found |= part.costs()
        return found


@asynccontextmanager
async def rig(folder: Path, **variables: str) -> AsyncIterator[Rig]:
    """Start a Kafka; at the end everything that was started is stopped."""
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    with closing(Guard()) as guard:
        cache = settings().jars
        broker = EmbeddedBroker(folder, free_port(), guard=guard, say=say, jar_cache=cache)
        await broker.start()
        installation = Rig(folder, broker, guard, variables)
        try:
            yield installation
        finally:
            for part in list(installation.parts):
                with suppress(Exception):
                    await installation.stop(part)
            await broker.stop()


async def create_topics(broker: str, *topics: str) -> None:
    """Create topics with one partition each."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1) for topic in topics])
    finally:
        await admin.close()


def say(text: str) -> None:
    """Show a person how far it is."""
    load = os.getloadavg()[0]
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} load {load:4.1f}  {text}\n")


def per(number: int, before: dict[str, Cost], after: dict[str, Cost]) -> dict[str, float]:
    """CPU milliseconds for each of ``number`` commands, by role; commands are the executor's."""
    out: dict[str, float] = {}
    for name, end in after.items():
        used = end.since(before.get(name, Cost()))
        out[name] = round(used.own / number * 1000, 3)
        if name == "executor":
            out["commands"] = round(used.children / number * 1000, 3)
    return out
