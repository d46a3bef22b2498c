"""The last version of each older level and the present one say the same of a log of that level."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import from_row, to_row
from cronstream.core.wire.codec import decode_entries, encode_entries
from cronstream.core.wire.entries import Level
from tests.old_version import OLD_LEVELS, unpack_old
from tests.simulation.scale import scaled_down
from tests.simulation.world import World

SEEDS = 40
#: Where each level has what reads entries.
CODECS = {
    1: "cronstream.core.codec",
    2: "cronstream.core.wire.codec",
    3: "cronstream.core.wire.codec",
}
#: Folds logs from its standard input: all of each, and its second half from a row.
OLD_FOLD = """\
import sys
from datetime import datetime
import orjson
from {codec} import decode_entries
from cronstream.core.ledger.fold import Ledger
from cronstream.core.ledger.rows import from_row, to_row

def fold(ledger, log):
    take = ledger.fold if hasattr(ledger, "fold") else ledger.take
    for offset, at, raw in log:
        take(offset, datetime.fromisoformat(at), decode_entries(raw.encode())[0])
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
        ledger.fold(offset, datetime.fromisoformat(at), decode_entries(raw.encode())[0])
    row: dict[str, Any] = orjson.loads(orjson.dumps(to_row(ledger, 0)))
    return row


def _raised_to(level: int, messages: list[tuple[datetime, list[Any]]]) -> list[Message]:
    """Return a log that was raised to a level at most: what is above is left, and to be refused."""
    log: list[Message] = []
    for at, entries in messages:
        left = [
            Level(level=level) if isinstance(entry, Level) else entry
            for entry in entries
            if level > 1 or not isinstance(entry, Level)
        ]
        if left:
            log.append((len(log), at.isoformat(), encode_entries(left).decode()))
    return log


def _logs(level: int) -> Iterator[tuple[bool, list[Message]]]:
    """Yield the logs of some simulated worlds, and whether each is a retry log."""
    for seed in range(SEEDS):
        world = World(seed)
        with scaled_down():
            world.run()
        for retry in (False, True):
            for log in world.logs_of(retry=retry):
                yield retry, _raised_to(level, log.messages)
        world.take_apart()


def _without_words(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row without what only people read of it: that may be worded otherwise.

    And without what old versions do not know of, and pass over where it stands in a row.
    """
    for live in row["live"]:
        live.pop("reason", None)
    row.pop("successes", None)
    return row


@pytest.mark.parametrize("level", OLD_LEVELS)
def test_old_and_new_fold_alike_and_read_the_rows_of_each_other(level: int, tmp_path: Path) -> None:
    (tmp_path / "fold.py").write_text(OLD_FOLD.replace("{codec}", CODECS[level]))
    tasks, expected = [], []
    for retry, log in _logs(level):
        middle = _fold(Ledger(retry=retry), log[: len(log) // 2])
        tasks.append({"retry": retry, "row": middle, "log": log})
        expected.append(_fold(Ledger(retry=retry), log))
    variables = {**os.environ, **unpack_old(tmp_path / "old", level)}
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
        made = to_row(from_row(whole), 0)
        if "successes" not in whole:
            made.pop("successes")
        assert made == whole
        assert _without_words(whole) == _without_words(rest) == _without_words(row)
    assert any(row["recent"] for row in expected)
