import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from cronstream.broker.data_lock import lock_data, take_over
from cronstream.errors import BrokerError

#: Locks a file with a note that names a dead process, and lets go when its stdin ends.
HOLD = """
import fcntl, sys
file = open(sys.argv[1], "a+")
fcntl.flock(file, fcntl.LOCK_EX)
file.write(sys.argv[2]); file.flush()
print("locked", flush=True)
sys.stdin.read()
"""


def a_note(path: Path, text: str) -> None:
    path.write_text(text)


def a_dead_pid() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as dead:
        dead.wait()
    return dead.pid


@contextmanager
def a_lock_whose_owner_is_dead(path: Path) -> Iterator[IO[bytes]]:
    """Have an orphan hold the lock; it lets go when what this yields is closed."""
    arguments = [str(path), f'{{"pid": {a_dead_pid()}}}']
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as orphan:
        assert orphan.stdin is not None
        assert orphan.stdout is not None
        orphan.stdout.readline()
        yield orphan.stdin


async def test_a_second_kafka_on_the_same_data_is_told_who_has_it_and_what_to_do(
    tmp_path: Path,
) -> None:
    held = await lock_data(tmp_path / "lock", 9092)
    with pytest.raises(BrokerError) as caught:
        await lock_data(tmp_path / "lock", 9999)
    held.release()
    assert "already running" in str(caught.value)
    assert "kafka://127.0.0.1:9092" in str(caught.value)
    assert "--data-dir" in str(caught.value)


async def test_a_lock_that_was_let_go_can_be_taken(tmp_path: Path) -> None:
    (await lock_data(tmp_path / "lock", 1)).release()
    (await lock_data(tmp_path / "lock", 2)).release()


async def test_what_a_former_holder_wrote_is_of_no_matter(tmp_path: Path) -> None:
    a_note(tmp_path / "lock", '{"pid": 1, "port": 1, and half a line')
    (await lock_data(tmp_path / "lock", 2)).release()


async def test_a_kafka_whose_owner_has_died_is_waited_for(tmp_path: Path) -> None:
    with a_lock_whose_owner_is_dead(tmp_path / "lock") as orphan:
        asyncio.get_running_loop().call_later(0.05, orphan.close)
        (await lock_data(tmp_path / "lock", 2)).release()


async def test_data_that_was_kept_elsewhere_before_is_taken_over_if_nobody_uses_it(
    tmp_path: Path,
) -> None:
    former, folder = tmp_path / "kafka", tmp_path / "jobs" / "kafka"
    assert not take_over(former, folder)
    former.mkdir()
    held = await lock_data(former / "lock", 1)
    assert not take_over(former, folder)
    held.release()
    assert take_over(former, folder)
    assert (folder / "lock").exists()
    assert not former.exists()


async def test_data_of_its_own_is_never_replaced(tmp_path: Path) -> None:
    former, folder = tmp_path / "kafka", tmp_path / "jobs" / "kafka"
    folder.mkdir(parents=True)
    former.mkdir()
    (await lock_data(former / "lock", 1)).release()
    assert not take_over(former, folder)
    assert former.exists()
