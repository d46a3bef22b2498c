"""Runs the coroutine of a command that talks to Kafka, and sees that it comes to its end."""

import asyncio
import logging
from collections.abc import Coroutine, Iterable
from typing import Any, Final, TypeVar

logger = logging.getLogger(__name__)

#: So often what goes on is asked to end, and is waited for so long each time.
_CANCELLATIONS: Final = 5
_CANCELLED_AFTER_S: Final = 1.0

ValueT = TypeVar("ValueT")


def run(command: Coroutine[Any, Any, ValueT], *, cleans_up: bool = False) -> ValueT:
    """Run a command's coroutine; what a library complains of behind its back is not for people.

    Args:
        command: What is to be done.
        cleans_up: Whether it has something to put back when it is interrupted: then it is waited
            for, however long that takes.
    """
    with asyncio.Runner() as runner:
        runner.get_loop().set_exception_handler(_overhear)
        return runner.run(_to_its_end(command, cleans_up=cleans_up))


async def _to_its_end(command: Coroutine[Any, Any, ValueT], *, cleans_up: bool) -> ValueT:
    """Wait for a command, and see that nothing of it goes on: asyncio waits for that without end.

    Neither Ctrl-C nor the end of a command reaches a task that swallows the first word to end.
    """
    task = asyncio.ensure_future(command)
    try:
        return await asyncio.shield(task)
    finally:
        if cleans_up and task.cancel():
            await asyncio.wait({task})
        await _end({task})
        await _end(asyncio.all_tasks() - {asyncio.current_task()})


async def _end(tasks: Iterable[asyncio.Task[Any] | None]) -> None:
    """Cancel tasks until they are over, some times."""
    for _ in range(_CANCELLATIONS):
        pending = [task for task in tasks if task is not None and not task.done()]
        if not pending:
            return
        for task in pending:
            task.cancel()
        await asyncio.wait(pending, timeout=_CANCELLED_AFTER_S)


def _overhear(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    logger.debug("%s", context.get("message"), exc_info=context.get("exception"))
