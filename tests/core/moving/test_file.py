"""An export as a file counts only if all of it is there."""

from collections.abc import Callable
from hashlib import sha256

import pytest

from cronstream.core.moving.file import from_lines, to_lines
from cronstream.core.planning.cursor import Cursor
from cronstream.core.wire.levels import LEVEL
from cronstream.errors import HouseError
from tests.builders import NOON
from tests.core.moving.test_export import an_export

THIS_LEVEL = f'"level":{LEVEL}'.encode()


def test_an_export_goes_through_a_file() -> None:
    export = an_export(Cursor(0, NOON), Cursor(1, NOON))
    assert from_lines("x", b"".join(to_lines(export))) == export


@pytest.mark.parametrize("damage", [
    lambda raw: raw[:-10],
    lambda raw: b"".join(raw.splitlines(keepends=True)[:-2]),
    lambda raw: raw.replace(b'"succeeded"', b'"discarded"').replace(b"true", b"evil"),
    lambda raw: raw.splitlines(keepends=True)[0],
])  # fmt: skip
def test_a_file_that_is_not_whole_is_refused(damage: Callable[[bytes], bytes]) -> None:
    raw = b"".join(to_lines(an_export(Cursor(0, NOON))))
    with pytest.raises(HouseError, match="is not whole: it was cut off or changed"):
        from_lines("x", damage(raw))


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"7\n", b'{"jobs": []}\n'])
def test_what_is_no_export_is_refused(raw: bytes) -> None:
    with pytest.raises(HouseError, match="x is not an export of cronstream"):
        from_lines("x", raw)


@pytest.mark.parametrize("change", [(b'export":1', b'export":2'), (THIS_LEVEL, b'"level":9')])
def test_an_export_of_a_version_that_is_not_known_is_refused(change: tuple[bytes, bytes]) -> None:
    raw = b"".join(to_lines(an_export()))
    with pytest.raises(HouseError, match=r"cronstream 1.0, .* upgrade it"):
        from_lines("x", raw.replace(*change))


def test_a_whole_file_with_nonsense_in_it_is_damaged() -> None:
    raw = b"".join(to_lines(an_export(id="e")))
    [first, *rest] = raw.splitlines(keepends=True)
    head = first.replace(b'"id":"e",', b"")
    whole = b"".join(_with_end([head, *rest[:-1]]))
    with pytest.raises(HouseError, match="x is damaged"):
        from_lines("x", whole)


def _with_end(lines: list[bytes]) -> list[bytes]:
    """Return lines with an end that says that they are whole."""
    digest = sha256(b"".join(lines)).hexdigest()
    return [*lines, b'{"end":%d,"sha256":"%s"}\n' % (len(lines), digest.encode())]
