"""Tables of one row for each partition, kept on changelogs as the real ones are."""

from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, Final, TypeVar
from unittest.mock import patch

import orjson

from cronstream.core.ledger.rows import join
from cronstream.core.wire import pieces
from cronstream.topology.last_rows import last_rows
from tests.timelapse.kafka import Changelog

T = TypeVar("T")

#: Rows are small where jobs are few: so they are cut in pieces sooner, to have some of either kind.
_WHOLE_BYTES: Final = 2_500
_PIECE_BYTES: Final = 500


@contextmanager
def small_pieces() -> Iterator[None]:
    """Cut rows in pieces sooner, for a while."""
    with patch.multiple(pieces, WHOLE_BYTES=_WHOLE_BYTES, PIECE_BYTES=_PIECE_BYTES):
        yield


class Table:
    """One process's hold of one row; see `cronstream.topology.changelog.Changelog`."""

    def __init__(self, changelog: Changelog) -> None:
        self.changelog = changelog
        self._turn = 0
        #: How many messages were read back to find the row.
        self.messages_read = 0

    def read(self) -> dict[str, Any] | None:
        """Return the last whole row that the changelog has, its parts as one."""
        log, count = self.changelog, 0

        async def read(spans: Any) -> Any:
            nonlocal count
            async for message in log.read(spans):
                count += 1
                yield message

        found = _drive(last_rows(read, {log.place: (log.start, log.end)})).get(log.place)
        self.messages_read = count
        self._turn = 0 if found is None or found.turn is None else found.turn + 1
        if found is None or found.text is None:
            return None
        return join(orjson.loads(line) for line in found.lines())

    def cut(self, *parts: dict[str, Any]) -> list[tuple[bytes, bytes]]:
        """Return the messages of a row, all of which are going to be written."""
        key = orjson.dumps(str(self.changelog.partition))
        text = b"\n".join(orjson.dumps(part) for part in parts)
        messages = pieces.cut(key, text, self._turn)
        if len(messages) > 1 or key not in messages:
            self._turn += 1
        return list(messages.items())

    def write(
        self, now: float, messages: list[tuple[bytes, bytes]], *, is_whole: bool = True
    ) -> None:
        """Have the broker take messages, the whole row or a part of it."""
        for key, value in messages:
            self.changelog.append(now, key, value)
        self.changelog.has_whole |= is_whole


def _drive(work: Coroutine[Any, Any, T]) -> T:
    """Run what waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        result: T = done.value
        return result
    raise RuntimeError("it waits for something")
