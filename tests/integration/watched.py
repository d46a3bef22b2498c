"""Real processes whose ``/health`` is asked."""

import asyncio
import json
import time
import urllib.error
import urllib.request
from typing import Any

import pytest

from cronstream.broker.ports import free_port
from tests.integration.conftest import StartedWorker, StartWorker


class Watched:
    """A process with a web port of its own, and what it answers there."""

    def __init__(self, worker: StartedWorker, port: int) -> None:
        self.worker, self.port, self._url = worker, port, f"http://127.0.0.1:{port}/health"

    async def ask(self) -> tuple[int, dict[str, Any]]:
        """Return status and answer; 0 if nobody answers."""
        return await asyncio.to_thread(self._ask)

    def _ask(self) -> tuple[int, dict[str, Any]]:
        try:
            with urllib.request.urlopen(self._url, timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.load(error)
        except OSError:
            return 0, {}

    async def becomes(self, status: int, within_s: float) -> dict[str, Any]:
        """Wait until it answers with `status`, and return the answer."""
        found, answer = await self.ask()
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            found, answer = await self.ask()
            if found == status:
                return answer
            await asyncio.sleep(0.3)
        pytest.fail(f"not {status} within {within_s:g} s, but {found} {answer}")

    async def warns(self, text: str, within_s: float = 30.0) -> dict[str, Any]:
        """Wait until one of its warnings has a text, and return the answer; a line comes before."""
        answer: dict[str, Any] = {}
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            _, answer = await self.ask()
            if any(text in warning for warning in answer.get("warnings", ())):
                return answer
            await asyncio.sleep(0.3)
        pytest.fail(f"no warning with {text!r} within {within_s:g} s, but {answer}")

    async def settles(self, within_s: float) -> None:
        """Wait until it is a member of its group, and no rebalance is under way."""
        answer: dict[str, Any] = {}
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            _, answer = await self.ask()
            facts = answer.get("facts", {})
            if facts.get("in_group") and facts["rebalancing_s"] is None:
                return
            await asyncio.sleep(0.3)
        pytest.fail(f"not settled within {within_s:g} s, but {answer}")


async def start_watched(start: StartWorker, *options: str, **more: Any) -> Watched:
    """Start a process with a web port that is known."""
    port = free_port()
    variables = {"CRONSTREAM_WEB_PORT": str(port), **more.pop("variables", {})}
    worker = await start(*options, variables=variables, **more)
    return Watched(worker, port)
