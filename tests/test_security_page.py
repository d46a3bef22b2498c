"""The page on security names tests, which are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/security.md").read_text()
ROWS = re.findall(r"^\| (\d+) \|(.+)$", PAGE, re.MULTILINE)


def test_every_threat_has_a_row_with_what_stands_against_it_and_a_test() -> None:
    assert [int(number) for number, _ in ROWS] == list(range(1, 29))
    for number, row in ROWS:
        threat, control, tests = (cell.strip() for cell in row.split(" | "))
        assert threat, number
        assert control, number
        assert "`tests/" in tests, number


def test_every_test_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`(tests/[\w./]+)`", PAGE))

    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
