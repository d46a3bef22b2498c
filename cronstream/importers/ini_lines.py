"""Files of sections with ``key = value`` lines, as systemd's units and Ofelia's configuration are.

`configparser` reads neither: both have keys that are there several times, and what is said of a
value needs its line.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple


class Setting(NamedTuple):
    """A line ``key = value``, or several that go on behind a backslash."""

    line: int
    key: str
    value: str


@dataclass(frozen=True, slots=True)
class Section:
    """What stands under a line ``[title]``."""

    line: int
    title: str
    settings: tuple[Setting, ...]

    def all(self, key: str) -> list[Setting]:
        """Return each line of a key; an empty one takes back those before it (systemd does so)."""
        found: list[Setting] = []
        for setting in self.settings:
            if setting.key == key:
                found = [*found, setting] if setting.value else []
        return found

    def last(self, key: str) -> Setting | None:
        """Return the line of a key that counts."""
        found = self.all(key)
        return found[-1] if found else None


def read_sections(text: str) -> list[Section]:
    """Return the sections of a file; what stands before the first is left out."""
    sections: list[Section] = []
    title, begin, settings = "", 0, list[Setting]()
    for line, content in _logical_lines(text):
        if content.startswith("["):
            if begin:
                sections.append(Section(begin, title, tuple(settings)))
            title, begin, settings = content.strip("[] \t"), line, []
        else:
            key, _, value = content.partition("=")
            settings.append(Setting(line, key.strip(), value.strip()))
    if begin:
        sections.append(Section(begin, title, tuple(settings)))
    return sections


def _logical_lines(text: str) -> Iterable[tuple[int, str]]:
    """Yield lines without comments, each with those that a backslash at its end joins to it."""
    begin, parts = 0, list[str]()
    for number, raw in enumerate(text.splitlines(), start=1):
        line = raw.strip()
        if line.startswith(("#", ";")) or not (line or parts):
            continue
        begin = begin or number
        if line.endswith("\\"):
            parts.append(line[:-1].rstrip())
            continue
        yield begin, " ".join([*parts, line])
        begin, parts = 0, []
    if parts:
        yield begin, " ".join(parts)


def merged(sections: Iterable[Section], title: str) -> Section:
    """Return all that stands under a title, wherever in the file."""
    same = [section for section in sections if section.title == title]
    settings = tuple(setting for section in same for setting in section.settings)
    return Section(same[0].line if same else 1, title, settings)
