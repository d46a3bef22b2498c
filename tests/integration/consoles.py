"""A console in a process of its own."""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from cronstream.broker.guard import Guard
from cronstream.broker.ports import free_port
from cronstream.supervisor.command import Command
from tests.integration.command import MAIN
from tests.integration.conftest import StartedWorker

TOKEN = "0123456789abcdef"
BY = "ada (console)"


class Console:
    """A console at a port of its own, in a folder of the test's."""

    def __init__(
        self, broker: str, folder: Path, variables: Mapping[str, str] | None = None
    ) -> None:
        self._broker, self._folder, self._port = broker, folder, free_port()
        self._variables = variables or {}

    async def start(self, guard: Guard) -> StartedWorker:
        """Start it, and wait until it answers."""
        variables = {
            "CRONSTREAM_BROKER": f"kafka://{self._broker}",
            "CRONSTREAM_DATA_DIR": str(self._folder / "console"),
            "CRONSTREAM_WEB_PORT": str(self._port),
            "PYTHONUNBUFFERED": "1",
            **self._variables,
        }
        console = StartedWorker()
        command = Command((sys.executable, "-c", MAIN, "console"), variables, self._folder)
        await console.start(command, guard)
        await console.said("the console is at")
        return console

    def at(self, path: str) -> str:
        """Return the address of a page."""
        return f"http://127.0.0.1:{self._port}{path}"

    async def get(self, path: str) -> str:
        """Return a page that must be there."""
        async with aiohttp.ClientSession() as session, session.get(self.at(path)) as answer:
            text = await answer.text()
            assert answer.status == 200, text
            return text

    async def shows(self, path: str, text: str) -> None:
        """Wait until a page shows a text: what is in force is asked for now and then."""
        async with asyncio.timeout(60):
            while True:
                if text in await self.get(path):
                    return
                await asyncio.sleep(0.3)

    async def has(self, state: str, job: str) -> list[dict[str, Any]]:
        """Wait until it shows a run of a job in a state; return those that it shows."""
        async with asyncio.timeout(60):
            while True:
                found = json.loads(await self.get(f"/runs.json?job={job}&state={state}"))["runs"]
                if found:
                    return list(found)
                await asyncio.sleep(0.3)


class Page:
    """Somebody with the console's token, called ada."""

    def __init__(self, console: Console, token: str = TOKEN) -> None:
        self._console = console
        self._login = {"Authorization": aiohttp.encode_basic_auth("ada", token)}

    async def post(self, path: str, form: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
        """Return the status, and what is said to a program."""
        given = {"Accept": "application/json", **headers}
        async with (
            aiohttp.ClientSession(headers=self._login) as session,
            session.post(self._console.at(path), data=form or {}, headers=given) as answer,
        ):
            return answer.status, await answer.json()

    async def done(self, path: str, form: Any = None) -> dict[str, Any]:
        """Do something that has to be done, and return what is said of it."""
        status, said = await self.post(path, form)
        assert status == 200, said
        assert said["by"] == BY
        return said

    async def shows(self, path: str, text: str) -> None:
        """Wait until a page shows a text."""
        async with aiohttp.ClientSession(headers=self._login) as session, asyncio.timeout(60):
            while True:
                async with session.get(self._console.at(path)) as answer:
                    if text in await answer.text():
                        return
                await asyncio.sleep(0.3)
