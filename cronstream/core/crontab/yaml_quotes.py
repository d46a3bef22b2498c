"""Which quotes a value needs that YAML takes for something of its own."""

import re
from collections.abc import Sequence
from typing import Final

from cronstream.errors import Place

#: No value is shown at greater length.
_MAX_SHOWN: Final = 60
#: What stands before a value on its line.
KEY: Final = re.compile(r"(?:^|(?<=[\s{,\[]))(\"[^\"]*\"|'[^']*'|[\w.-]+)\s*:(?:\s+|$)")
_NEXT_KEY: Final = re.compile(r",\s*[\w.-]+\s*:(?:\s|$)")
_OPENING: Final = {"}": "{", "]": "["}
#: What a value may not begin with unless it is in quotes, and what YAML takes it for.
BEGINS: Final = {
    "*": "begins an alias in YAML",
    "&": "begins an anchor in YAML",
    "!": "begins a tag in YAML",
    "|": "begins a block of lines in YAML",
    ">": "begins a block of lines in YAML",
    "-": "begins a list in YAML",
    "?": "begins a key in YAML",
    "[": "begins a list in YAML, and text goes on behind its end",
    "{": "begins a mapping in YAML, and text goes on behind its end",
    **dict.fromkeys("@`%,]}", "cannot begin a value in YAML"),
}


def quotes_needed(lines: Sequence[str], place: Place) -> str:
    """Return the sentence for a value, at a place, that begins with a character of YAML's own."""
    line, begin = line_of(lines, place.line), place.column - 1
    first = line[begin : begin + 1]
    what = BEGINS.get(first, "cannot begin a value in YAML")
    return f"{first!r} {what}; {put_in_quotes(line, begin)}"


def value_at(lines: Sequence[str], place: Place) -> str:
    """Return the text of a value that is not in quotes and ends on its line."""
    return _value(line_of(lines, place.line)[place.column - 1 :])


def line_of(lines: Sequence[str], number: int) -> str:
    """Return a line by its number, or nothing if there is none: parsers count other breaks too."""
    return lines[number - 1].rstrip("\r") if number <= len(lines) else ""


def put_in_quotes(line: str, begin: int) -> str:
    """Return the remedy for a value that begins at an index of its line."""
    keys = [found[1].strip("\"'") for found in KEY.finditer(line[:begin]) if found.end() == begin]
    what = "it"
    if keys:
        what = f"the {keys[-1]}" if keys[-1] in {"schedule", "command", "description"} else ""
        what = what or f"the value of {keys[-1]!r}"
    value = _value(line[begin:])
    shown = f": {_quoted(value)}" if 0 < len(value) <= _MAX_SHOWN else ""
    whole = " as a whole" if value[:1] in {'"', "'"} else ""
    return f"put {what} in quotes{whole}{shown}"


def _value(rest: str) -> str:
    """Return a value that is not in quotes, as far as it was probably meant to go."""
    rest = re.split(r"\s#", rest, maxsplit=1)[0]
    rest = _NEXT_KEY.split(rest, maxsplit=1)[0].rstrip()
    while rest.endswith(("}", "]")) and rest.count(rest[-1]) > rest.count(_OPENING[rest[-1]]):
        rest = rest[:-1].rstrip()
    return rest


def _quoted(value: str) -> str:
    """Return a value in quotes of the kind that needs the fewest changes."""
    quote = value[:1]
    if quote in {'"', "'"} and len(value) > 1 and value.endswith(quote):
        inner = value[1:-1]
        # What goes on with a letter behind a quote was quoted as a whole: "say "hello" twice".
        if inner[inner.find(quote) + 1 :][:1].isalnum():
            value = inner
    if '"' in value or "\\" in value:
        return "'" + value.replace("'", "''") + "'"
    return f'"{value}"'
