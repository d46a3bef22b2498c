r"""What a command wrote for a terminal, as pages may show it: colours, and nothing else.

Colours (SGR, ECMA-48 8.3.117) become names of classes; all other sequences, that move a cursor,
set a title or make a link, are left out; what remains of control characters is shown as ``\x1b``.
The text itself is only ever text: who shows it escapes it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from markupsafe import Markup, escape

from cronstream.escaping import safe

#: CSI … final; OSC, DCS, SOS, PM and APC … up to BEL or ST; other escapes of two characters.
_SEQUENCE: Final = re.compile(
    r"\x1b\[(?P<sgr>[0-9;:]{0,64})m"
    r"|\x1b\[[0-?]{0,64}[ -/]{0,8}[@-~]"
    r"|\x1b[\]PX^_][^\x07\x1b]{0,4096}(?:\x07|\x1b\\)"
    r"|\x1b[ -/]{0,8}[0-OQ-WYZ\\`-~]"
)
#: What may be the beginning of a sequence whose end is still to come.
_CUT: Final = re.compile(r"\x1b(?:\[[0-?]{0,64}[ -/]{0,8}|[\]PX^_][^\x07\x1b]{0,4096}\x1b?)?\Z")
_BASIC, _BRIGHT, _KEPT = 8, 16, 39
#: The sixteen colours as a terminal mixes them, to find what is near another one.
_RGB: Final = tuple(
    (level * (n & 1), level * (n >> 1 & 1), level * (n >> 2 & 1))
    for level in (205, 255)
    for n in range(_BASIC)
)


@dataclass(frozen=True, slots=True)
class Style:
    """How text is shown from here on; colours are numbers below 16."""

    front: int | None = None
    back: int | None = None
    bold: bool = False
    faint: bool = False
    italic: bool = False
    under: bool = False
    inverse: bool = False
    struck: bool = False

    @property
    def classes(self) -> str:
        """The names of classes that show it; empty for plain text."""
        marks = ("bold", "faint", "italic", "under", "inverse", "struck")
        found = [f"a-{name}" for name in marks if getattr(self, name)]
        found += [] if self.front is None else [f"a-f{self.front}"]
        found += [] if self.back is None else [f"a-b{self.back}"]
        return " ".join(found)


_PLAIN: Final = Style()
_SIMPLE: Final[dict[int, dict[str, Any]]] = {
    1: {"bold": True},
    2: {"faint": True},
    3: {"italic": True},
    4: {"under": True},
    7: {"inverse": True},
    9: {"struck": True},
    22: {"bold": False, "faint": False},
    23: {"italic": False},
    24: {"under": False},
    27: {"inverse": False},
    29: {"struck": False},
    39: {"front": None},
    49: {"back": None},
}


class Ansi:
    """Reads one stream, piece by piece: a colour goes on, and a sequence may be cut in two."""

    def __init__(self) -> None:
        self._style, self._rest = _PLAIN, ""

    def feed(self, text: str, *, is_end: bool = False) -> list[tuple[str, str]]:
        """Return what comes next as pairs: names of classes, and text."""
        text = "\n".join(map(_last_written, (self._rest + text).split("\n")))
        cut = None if is_end else _CUT.search(text)
        self._rest = "" if cut is None else text[cut.start() :]
        text = text if cut is None else text[: cut.start()]
        found: list[tuple[str, str]] = []
        for style, part in self._parts(text):
            shown = safe(part, keep="\n\t")
            if found and found[-1][0] == style.classes:
                found[-1] = (style.classes, found[-1][1] + shown)
            elif shown:
                found.append((style.classes, shown))
        return found

    def _parts(self, text: str) -> Iterator[tuple[Style, str]]:
        at = 0
        for found in _SEQUENCE.finditer(text):
            yield self._style, text[at : found.start()]
            at = found.end()
            if found["sgr"] is not None:
                self._style = _after(self._style, found["sgr"])
        yield self._style, text[at:]


def _last_written(line: str) -> str:
    """Return what a line shows in the end, where it was written over as by a progress bar."""
    return line.rstrip("\r").rpartition("\r")[2]


def _after(style: Style, sgr: str) -> Style:
    """Return the style after a sequence; what is not known there changes nothing."""
    codes = [int(code) if code else 0 for code in re.split("[;:]", sgr)[:32] if len(code) < 4]
    while codes:
        code = codes.pop(0)
        if code == 0:
            style = _PLAIN
        elif code in _SIMPLE:
            style = replace(style, **_SIMPLE[code])
        elif code in (38, 48):
            style = _colored(style, code, _extended(codes))
        elif code // 10 in (3, 4, 9, 10) and code % 10 < _BASIC:
            bright = _BASIC if code >= 90 else 0
            style = _colored(style, code if code < 90 else code - 60, code % 10 + bright)
    return style


def _colored(style: Style, code: int, color: int | None) -> Style:
    return replace(style, front=color) if code < _KEPT else replace(style, back=color)


def _extended(codes: list[int]) -> int | None:
    """Consume what follows 38 or 48; return the nearest of the sixteen colours."""
    kind = codes.pop(0) if codes else None
    if kind == 5 and codes:
        return _of_256(codes.pop(0))
    if kind == 2 and len(codes) >= 3:
        red, green, blue = codes[:3]
        del codes[:3]
        return _nearest(red, green, blue)
    codes.clear()
    return None


def _of_256(number: int) -> int | None:
    if number < _BRIGHT:
        return number
    if number > 255:
        return None
    if number >= 232:
        level = 8 + 10 * (number - 232)
        return _nearest(level, level, level)
    number -= 16
    return _nearest(*(51 * part for part in (number // 36, number // 6 % 6, number % 6)))


def _nearest(red: int, green: int, blue: int) -> int:
    def far(color: int) -> int:
        r, g, b = _RGB[color]
        return (r - red) ** 2 + (g - green) ** 2 + (b - blue) ** 2

    return min(range(_BRIGHT), key=far)


def colored(text: str | None) -> Markup:
    """Return all of a text as HTML: spans with classes of ours around text that is escaped."""
    return Markup("").join(
        Markup('<span class="{}">{}</span>').format(classes, part) if classes else escape(part)
        for classes, part in Ansi().feed(text or "", is_end=True)
    )
