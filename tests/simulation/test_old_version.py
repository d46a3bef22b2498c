"""The last version of level 1 and the present one say the same of a log of level 1."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import from_row, to_row
from cronstream.core.wire.codec import decode_entries, encode_entries
from cronstream.core.wire.entries import Level
from tests.old_version import unpack_old
from tests.simulation.scale import scaled_down
from tests.simulation.world import World

SEEDS = 40
#: Folds logs from its standard input: all of each, and its second half from a row.
OLD_FOLD = """\
import sys
from datetime import datetime
import orjson
from cronstream.core.codec import decode_entries
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import from_row, to_row

def fold(ledger, log):
    for offset, at, raw in log:
        ledger.take(offset, datetime.fromisoformat(at), decode_entries(raw.encode())[0])
    return to_row(ledger, 0)

for line in sys.stdin:
    task = orjson.loads(line)
    whole = fold(Ledger(retry=task["retry"]), task["log"])
    rest = fold(from_row(task["row"]), task["log"])
    sys.stdout.buffer.write(orjson.dumps([whole, rest]) + b"\\n")
"""

Message = tuple[int, str, str]


def _fold(ledger: Ledger, log: list[Message]) -> dict[str, Any]:
    for offset, at, raw in log:
        ledger.take(offset, datetime.fromisoformat(at), decode_entries(raw.encode())[0])
    row: dict[str, Any] = orjson.loads(orjson.dumps(to_row(ledger, 0)))
    return row


def _as_if_never_raised(messages: list[tuple[datetime, list[Any]]]) -> list[Message]:
    """Return a log without its `Level`: what is above level 1 is left, and to be refused."""
    log: list[Message] = []
    for at, entries in messages:
        left = [entry for entry in entries if not isinstance(entry, Level)]
        if left:
            log.append((len(log), at.isoformat(), encode_entries(left).decode()))
    return log


def _logs() -> Iterator[tuple[bool, list[Message]]]:
    """Yield the logs of some simulated worlds, and whether each is a retry log."""
    for seed in range(SEEDS):
        world = World(seed)
        with scaled_down():
            world.run()
        for retry in (False, True):
            for log in world.logs_of(retry=retry):
                yield retry, _as_if_never_raised(log.messages)
        world.take_apart()


def _without_words(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without what only people read of it: that may be worded otherwise."""
    for live in row["live"]:
        del live["reason"]
    return row


def test_old_and_new_fold_alike_and_read_the_rows_of_each_other(tmp_path: Path) -> None:
    (tmp_path / "fold.py").write_text(OLD_FOLD)
    tasks, expected = [], []
    for retry, log in _logs():
        middle = _fold(Ledger(retry=retry), log[: len(log) // 2])
        tasks.append({"retry": retry, "row": middle, "log": log})
        expected.append(_fold(Ledger(retry=retry), log))
    variables = {**os.environ, **unpack_old(tmp_path / "old")}
    lines = subprocess.run(
        [sys.executable, "fold.py"],
        input=b"\n".join(map(orjson.dumps, tasks)),
        cwd=tmp_path,
        env=variables,
        stdout=subprocess.PIPE,
        check=True,
    ).stdout.splitlines()

    for row, line in zip(expected, lines, strict=True):
        whole, rest = orjson.loads(line)
        assert to_row(from_row(whole), 0) == whole
        assert _without_words(whole) == _without_words(rest) == _without_words(row)
    assert any(row["recent"] for row in expected)
