"""``ExecStart=`` and its like (systemd.service(5), COMMAND LINES): no shell, but nearly one."""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Final

from cronstream.importers.found import Lost
from cronstream.importers.ini_lines import Setting
from cronstream.importers.specifiers import specified

_PREFIX: Final = re.compile(r"[-@:+!|]*")
_VARIABLE: Final = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)")


def read_exec(lines: Sequence[Setting], specifiers: Mapping[str, str]) -> list[str] | str:
    """Return what lines run one after another: words of one program, or text for a shell.

    Args:
        lines: ``ExecStartPre``, ``ExecStart`` and ``ExecStartPost``, in their order.
        specifiers: What ``%i`` and others stand for.

    Raises:
        Lost: If a line cannot be read, or has a specifier that is not known here.
    """
    commands = [command for line in lines for command in _commands(line, specifiers)]
    if not commands:
        raise Lost("it has no ExecStart")
    [(words, may_fail, is_literal), *others] = commands
    if not others and not may_fail and (is_literal or not any("$" in word for word in words)):
        return words
    return " && ".join(_for_shell(*command) for command in commands)


def _commands(line: Setting, specifiers: Mapping[str, str]) -> list[tuple[list[str], bool, bool]]:
    try:
        words = shlex.split(line.value)
    except ValueError as error:
        raise Lost(f"{line.value[:60]!r} has {str(error).lower()}", line.line) from error
    commands, current = [], list[str]()
    for word in [*words, ";"]:
        if word != ";":
            current.append(specified(word, specifiers, line.line))
        elif current:
            commands.append(_command(current, line.line))
            current = []
    return commands


def _command(words: list[str], line: int) -> tuple[list[str], bool, bool]:
    """Return words, whether a failure is none, and whether a ``$`` is just that."""
    found = _PREFIX.match(words[0])
    prefix = found[0] if found else ""
    program = words[0][len(prefix) :]
    rest = words[2:] if "@" in prefix else words[1:]
    words = [program, *rest] if program else rest  # A prefix may stand by itself.
    if not words:
        raise Lost("it has no program", line)
    return words, "-" in prefix, ":" in prefix


def _for_shell(words: Sequence[str], may_fail: bool, is_literal: bool) -> str:
    text = " ".join(shlex.quote(word) if is_literal else _word(word) for word in words)
    return f"{{ {text} || true; }}" if may_fail else text


def _word(word: str) -> str:
    """Return a word with its variables: ``$NAME`` alone is divided into words."""
    whole = re.fullmatch(r"\$([A-Za-z_][A-Za-z0-9_]*)", word)
    if whole:
        return word
    parts, last = [], 0
    for found in _VARIABLE.finditer(word):
        if last < found.start():
            parts.append(shlex.quote(word[last : found.start()]))
        parts.append(f'"${{{found[1]}}}"' if found[1] else shlex.quote("$" + (found[2] or "")))
        last = found.end()
    if last < len(word) or not word:
        parts.append(shlex.quote(word[last:]))
    return "".join(parts)
