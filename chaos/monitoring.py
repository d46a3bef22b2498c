"""Prometheus and Alertmanager beside an installation, and everything that they send."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from aiohttp import ClientError, ClientSession, web

from chaos.programs import program
from chaos.shortened import (
    ALERTMANAGER,
    PROMETHEUS,
    RULES,
    quick_prometheus,
    shorter_routes,
    shorter_rules,
)
from cronstream import clock
from cronstream.broker.ports import HOST, free_port
from cronstream.errors import CronstreamError
from cronstream.supervisor.child import Guard, ProcessChild
from cronstream.supervisor.command import Command

_READY_WITHIN_S = 30.0
_STOP_WITHIN_S = 5.0
_LOOK_AGAIN_S = 0.2


@dataclass(frozen=True, slots=True)
class Notice:
    """One alert of what a receiver was sent.

    Attributes:
        receiver: ``page``, ``ticket`` or ``watchdog``.
        is_over: Whether it says that the alert is resolved.
    """

    at: datetime
    receiver: str
    is_over: bool
    labels: dict[str, str]
    annotations: dict[str, str]

    @property
    def name(self) -> str:
        """Which alert it is."""
        return self.labels["alertname"]


class Monitoring:
    """Both programs, with the rules and routes of ops/, quicker by a factor.

    Attributes:
        notices: All that was sent, in the order of time.
    """

    def __init__(self, folder: Path, guard: Guard, factor: int) -> None:
        self._folder, self._guard, self._factor = folder, guard, factor
        self._prometheus, self._alertmanager = (f"{HOST}:{free_port()}" for _ in range(2))
        self._children: list[ProcessChild] = []
        self._logs = ExitStack()
        self.notices: list[Notice] = []

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Monitoring"]:
        """Start both, wait until they are ready, and stop them in the end."""
        folder = self._folder
        folder.mkdir(parents=True, exist_ok=True)
        async with self._receiver() as receiver:
            self._configure(receiver)
            try:
                await self._start(
                    "prometheus-alertmanager",
                    self._alertmanager,
                    f"--config.file={folder / 'alertmanager.yml'}",
                    f"--storage.path={folder / 'alertmanager'}",
                    "--cluster.listen-address=",
                )
                await self._start(
                    "prometheus",
                    self._prometheus,
                    f"--config.file={folder / 'prometheus.yml'}",
                    f"--storage.tsdb.path={folder / 'prometheus'}",
                )
                yield self
            finally:
                for child in self._children:
                    await child.stop()
                self._logs.close()

    def watch(self, processes: Iterable[int], brokers: Iterable[str] = ()) -> None:
        """Say which processes there are, by their web ports, and what speaks for brokers."""
        self._targets("cronstream", [f"{HOST}:{port}" for port in processes])
        self._targets("kafka", list(brokers))

    async def ask(self, expression: str) -> list[dict[str, Any]]:
        """Return what an expression is now.

        Raises:
            CronstreamError: Prometheus cannot work it out.
        """
        async with (
            ClientSession() as session,
            session.get(
                f"http://{self._prometheus}/api/v1/query", params={"query": expression}
            ) as answer,
        ):
            said = await answer.json()
        if said["status"] != "success":
            raise CronstreamError(f"{expression}: {said['error']}")
        found: Any = said["data"]["result"]
        return found if isinstance(found, list) else [found]

    async def ask_over(
        self, expression: str, since: datetime, until: datetime, step_s: float
    ) -> list[dict[str, Any]]:
        """Return what an expression was between two moments, every `step_s` seconds."""
        given: dict[str, str | float] = {"query": expression, "step": step_s}
        given |= {"start": since.timestamp(), "end": until.timestamp()}
        async with (
            ClientSession() as session,
            session.get(f"http://{self._prometheus}/api/v1/query_range", params=given) as answer,
        ):
            said = await answer.json()
        found: list[dict[str, Any]] = said["data"]["result"]
        return found

    async def broken_rules(self) -> list[str]:
        """Return the rules that Prometheus could not work out the last time, each with why."""
        async with (
            ClientSession() as session,
            session.get(f"http://{self._prometheus}/api/v1/rules") as answer,
        ):
            said = await answer.json()
        rules = [rule for group in said["data"]["groups"] for rule in group["rules"]]
        return [f"{rule['name']}: {rule['lastError']}" for rule in rules if rule.get("lastError")]

    async def heard(
        self, wanted: Callable[[Notice], bool], within_s: float, since: int = 0
    ) -> Notice:
        """Wait for a notice that is wanted, after the first `since` of them.

        Raises:
            CronstreamError: None has come in time.
        """
        end = clock.monotonic() + within_s
        while not (found := [notice for notice in self.notices[since:] if wanted(notice)]):
            if clock.monotonic() > end:
                names = [f"{n.name}{' over' * n.is_over}" for n in self.notices[since:]]
                raise CronstreamError(f"nothing was sent within {within_s:g} s but {names}")
            await asyncio.sleep(_LOOK_AGAIN_S)
        return found[0]

    # -- steps --------------------------------------------------------------------------------

    def _configure(self, receiver: str) -> None:
        folder, factor = self._folder, self._factor
        (folder / "rules").mkdir()
        (folder / "targets").mkdir()
        for path in RULES.glob("*.yml"):
            (folder / "rules" / path.name).write_text(shorter_rules(path.read_text(), factor))
        routes = shorter_routes(ALERTMANAGER.read_text(), factor, receiver)
        (folder / "alertmanager.yml").write_text(routes)
        config = quick_prometheus(PROMETHEUS.read_text(), self._alertmanager)
        (folder / "prometheus.yml").write_text(config)
        self.watch(())

    def _targets(self, job: str, targets: list[str]) -> None:
        new = self._folder / "targets" / f"{job}.new"
        new.write_text(json.dumps([{"targets": targets}]))
        new.replace(new.with_suffix(".yml"))

    async def _start(self, name: str, address: str, *options: str) -> None:
        argv = (program(name), *options, f"--web.listen-address={address}")
        log = self._logs.enter_context((self._folder / f"{name}.log").open("a"))
        child = await ProcessChild.start(
            Command(argv),
            lambda line: print(line, file=log, flush=True),
            self._guard,
            _STOP_WITHIN_S,
        )
        self._children.append(child)
        end = clock.monotonic() + _READY_WITHIN_S
        while not await _is_ready(address):
            if clock.monotonic() > end:
                raise CronstreamError(f"{name} is not ready: {' '.join(child.last_lines())}")
            await asyncio.sleep(_LOOK_AGAIN_S)

    @asynccontextmanager
    async def _receiver(self) -> AsyncIterator[str]:
        """Hear what is sent, as a pager would; yield the address."""
        app = web.Application()
        app.router.add_post("/{receiver}", self._hear)
        runner = web.AppRunner(app)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, HOST, port).start()
        try:
            yield f"http://{HOST}:{port}"
        finally:
            await runner.cleanup()

    async def _hear(self, request: web.Request) -> web.Response:
        now, receiver = clock.now(), request.match_info["receiver"]
        self.notices += [
            Notice(now, receiver, one["status"] == "resolved", one["labels"], one["annotations"])
            for one in (await request.json())["alerts"]
        ]
        return web.Response()


async def _is_ready(address: str) -> bool:
    try:
        async with ClientSession() as session, session.get(f"http://{address}/-/ready") as answer:
            return answer.status == 200
    except ClientError:
        return False
