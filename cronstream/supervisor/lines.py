"""From the bytes that a part writes to the lines that a person reads: pure."""

import re

#: Characters of a line that are shown.
LINE_LIMIT = 2_000
#: Bytes without a line's end after which one is made; a character has at most four.
_BYTES_LIMIT = 4 * LINE_LIMIT
_LABEL_WIDTH = 16
#: Colours that can be read on dark and on light: cyan, green, yellow, magenta, blue and their kin.
_COLOURS = (36, 32, 33, 35, 34, 96, 92, 93, 95, 94)
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?")
#: Controls, and what turns the reading direction around or ends a line.
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class LineSplitter:
    """Makes lines of chunks of bytes, whatever their encoding and wherever they are cut."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, chunk: bytes) -> list[str]:
        """Return the lines that `chunk` completes."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > _BYTES_LIMIT:
            lines.append(self._rest)
            self._rest = b""
        return [clean(line) for line in lines]

    def end(self) -> list[str]:
        """Return what is left when no more comes: a line without its end, or nothing."""
        rest, self._rest = self._rest, b""
        return [clean(rest)] if rest else []


def clean(line: bytes) -> str:
    """Return a line as text that does nothing to a terminal but be read.

    A job's output is in what workers say, and whoever writes a job is not to move the cursor, or
    set the title, of whoever watches.
    """
    text = _ESCAPES.sub("", line.decode("utf-8", errors="replace").rstrip("\r\n"))
    # What was overwritten on the line is not shown: a progress bar is its last state.
    text = _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text.rpartition("\r")[2])
    return cut(text)


def cut(text: str, limit: int = LINE_LIMIT) -> str:
    """Return at most `limit` characters of `text`, and how many more there are."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]} ... ({len(text) - limit} more characters)"


def labelled(label: str, text: str, number: int | None = None) -> str:
    """Return `text` behind the name of the part that said it, in colour `number` if there is one.

    Parts that are numbered one after another have different colours, until those run out.
    """
    head = f"{label:<{_LABEL_WIDTH}} |"
    if number is not None:
        head = f"\x1b[{_COLOURS[number % len(_COLOURS)]}m{head}\x1b[0m"
    return f"{head} {text}".rstrip()
