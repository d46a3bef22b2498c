"""Text from messages, files and commands as a terminal may show it: it obeys nothing in it."""

import re
import unicodedata
from typing import Final

#: Letters that turn the reading direction around (UAX #9), so that text reads as what it is not.
_BIDI: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
#: Categories of characters that are no text: controls, surrogates, line and paragraph separators.
_UNSAFE: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
#: The same characters but for C0, which JSON has escaped.
_UNSAFE_IN_JSON: Final = re.compile(
    "[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)


def safe(text: str, *, keep: str = "") -> str:
    r"""Return `text` with what a terminal would obey shown as ``\x1b`` or ``\u202e``.

    Args:
        text: Whatever a message, a file or a command has written.
        keep: Characters that are let through all the same, such as a newline.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if c in keep or not is_unsafe(c) else _escaped(c) for c in text)


def safe_json(line: str) -> str:
    """Return a line of JSON that says the same, and may be looked at."""
    if line.isascii() and "\x7f" not in line:
        return line
    return _UNSAFE_IN_JSON.sub(lambda found: f"\\u{ord(found[0]):04x}", line)


def is_unsafe(character: str) -> bool:
    """Whether a terminal would obey a character, or show what follows in another order."""
    return character in _BIDI or unicodedata.category(character) in _UNSAFE


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode()
