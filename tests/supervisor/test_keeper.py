import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from cronstream.errors import BrokerError
from cronstream.supervisor.child import Child, describe
from cronstream.supervisor.keeper import Keeper, PartError, unless
from cronstream.supervisor.plan import Backoff

AT_ONCE = Backoff(first_s=0.0)
#: A life that lasts until it is stopped.
FOR_EVER = None


class FakeChild:
    """A part that ends with a status at once, or lives until it is stopped."""

    def __init__(self, status: int | None) -> None:
        self.status = status
        self.was_stopped = False
        self._ended = asyncio.Event()
        if status is not None:
            self._ended.set()

    async def wait(self) -> int:
        await self._ended.wait()
        return self.status or 0

    async def stop(self) -> None:
        self.was_stopped = True
        self._ended.set()

    async def kill(self) -> None:
        self.kill_now()

    def kill_now(self) -> None:
        self.status = -9
        self._ended.set()

    def last_lines(self) -> list[str]:
        return ["last words"]


class Lives:
    """Launches one fake child after another, and stops the keeper at the last."""

    def __init__(self, statuses: Sequence[int | Exception | None]) -> None:
        self._statuses = list(statuses)
        self.children: list[FakeChild] = []
        self.said: list[str] = []
        self.at_last: Callable[[], object] = lambda: None
        self.at_launch: Callable[[], object] = lambda: None

    async def launch(self) -> Child:
        status = self._statuses.pop(0)
        if not self._statuses:
            self.at_last()
        if isinstance(status, Exception):
            raise status
        self.children.append(FakeChild(status))
        self.at_launch()
        return self.children[-1]

    def keeper(self, *, is_vital: bool = True) -> Keeper:
        keeper = Keeper("part", self.launch, self.said.append, AT_ONCE, is_vital=is_vital)
        self.at_last = keeper.stop
        return keeper


async def test_a_part_that_dies_is_started_again_until_it_is_stopped() -> None:
    lives = Lives([1, -11, 0, FOR_EVER])
    await lives.keeper().run()
    assert len(lives.children) == 4
    assert lives.children[-1].was_stopped


async def test_a_death_is_told_with_its_status_or_signal_and_the_last_lines() -> None:
    lives = Lives([3, -9, FOR_EVER])
    await lives.keeper().run()
    assert [line for line in lives.said if "ended" in line] == [
        "ended: exit status 3, after 0.0 s; starting it again in 0 s",
        "ended: killed by SIGKILL, after 0.0 s; starting it again in 0 s",
    ]
    assert lives.said.count("  last words") == 2


@pytest.mark.parametrize("first", [2, OSError("no such file"), BrokerError("port in use")])
async def test_a_vital_part_whose_first_start_cannot_succeed_is_not_tried_again(
    first: int | Exception,
) -> None:
    lives = Lives([first, FOR_EVER])
    with pytest.raises(PartError, match="part: "):
        await lives.keeper().run()


@pytest.mark.parametrize("later", [2, BrokerError("port in use")])
async def test_a_part_that_has_lived_before_is_tried_again(later: int | Exception) -> None:
    lives = Lives([1, later, FOR_EVER])
    await lives.keeper().run()
    assert lives.children[-1].was_stopped


async def test_a_part_that_is_not_vital_is_tried_again_after_wrong_usage() -> None:
    lives = Lives([2, FOR_EVER])
    await lives.keeper(is_vital=False).run()
    assert lives.children[-1].was_stopped


async def test_a_part_that_was_told_to_stop_before_it_was_started_is_not_started() -> None:
    lives = Lives([FOR_EVER])
    keeper = lives.keeper()
    keeper.stop()
    await keeper.run()
    assert lives.children == []
    assert keeper.ended.is_set()


async def test_a_keeper_that_is_cancelled_leaves_no_part_behind() -> None:
    lives = Lives([FOR_EVER, FOR_EVER])
    task = asyncio.create_task(lives.keeper().run())
    lives.at_launch = task.cancel
    with pytest.raises(asyncio.CancelledError):
        await task
    assert lives.children[0].status == -9


async def test_a_stop_cuts_a_long_wait_short() -> None:
    stopping = asyncio.Event()
    waiting: Awaitable[int] = asyncio.sleep(3600, result=1)
    asyncio.get_running_loop().call_soon(stopping.set)
    assert await unless(stopping, waiting) is None


async def test_what_was_ready_is_not_lost_to_a_stop_at_the_same_time() -> None:
    stopping = asyncio.Event()
    stopping.set()
    answer: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    answer.set_result(5)
    assert await unless(stopping, answer) == 5


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (0, "exit status 0"),
        (3, "exit status 3"),
        (-15, "killed by SIGTERM"),
        (-200, "killed by signal 200"),
    ],
)
def test_a_status_is_told_in_words(status: int, words: str) -> None:
    assert describe(status) == words
