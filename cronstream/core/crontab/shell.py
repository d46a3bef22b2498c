"""A job's command, and its shell: a job that names one is published with that as its program.

So a run says all that is to be started, and a worker of any level runs it.
"""

import shlex
from typing import Any, Final

#: What Linux takes as one argument of a program, MAX_ARG_STRLEN less the NUL (execve(2)).
MAX_ARGUMENT_BYTES: Final = 131_071
#: Programs to which all behind the command is an argument; to a sh(1) the first is ``$0``.
_TAKING_ALL: Final = frozenset({"python", "pypy"})
#: Programs that look for options behind the command too: a second ``-e`` of perl(1) is more code.
_TAKING_OPTIONS: Final = frozenset({"perl", "node", "nodejs", "ruby", "php", "fish"})
_EXAMPLE: Final = "write it like '/bin/bash -euo pipefail -c'"


def command_of(value: Any) -> str | list[str]:
    """Return a command as a text for a shell, or as the words of a program and its arguments.

    Raises:
        ValueError: If it is none; the sentence says what to write.
    """
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        remedy = "put it in quotes" if isinstance(value, dict) else "quote its numbers"
        raise ValueError(f"must be text for /bin/sh, or a list of strings; {remedy}")
    if not words or not words[0].strip():
        raise ValueError("is empty; write what is to be run")
    if isinstance(value, list) and words[0].startswith("-"):
        raise ValueError("is a list without a program; put a command for the shell in quotes")
    if sum(len(word.encode(errors="replace")) for word in words) > MAX_ARGUMENT_BYTES:
        raise ValueError("is longer than 128 KiB; put it in a script, and run that")
    return value if isinstance(value, str) else words


def shell_of(value: Any) -> list[str]:
    """Return a shell as words, each an argument; a command is to follow as the last.

    Raises:
        ValueError: If it is none; the sentence says what to write.
    """
    words = _split(value) if isinstance(value, str) else value
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError(f"must be text, or a list of strings; {_EXAMPLE}")
    if not words or not words[0] or words[0].startswith("-"):
        raise ValueError(f"names no program; {_EXAMPLE}")
    if not words[-1].startswith("-"):
        shown = shlex.join(words)
        raise ValueError(
            f"{shown!r} would take the command for a file; end it with the option that a command "
            f"follows: '{shown} -c'"
        )
    return words


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:
        raise ValueError("has a quote that is not closed; close it") from None


def in_shell(
    shell: list[str] | None, command: str | list[str], *, takes_args: bool
) -> str | list[str]:
    """Return what is to be started for a command: a list is started without a shell.

    Args:
        shell: Which runs a text; None for ``/bin/sh -c``.
        command: As the crontab has it.
        takes_args: Whether a person may add arguments: the first is to be ``$1``, so ``$0`` is
            there already.
    """
    if shell is None or isinstance(command, list):
        return command
    return [*shell, command, *(_before_args(shell) if takes_args else ())]


def _before_args(shell: list[str]) -> list[str]:
    """Return what stands between a command and arguments, so that these are none of the shell's.

    What it runs is found by its name, also behind another program (``env python3 -c``). What is not
    known is taken for a sh(1): there an argument may be one too late, but is never an option.
    """
    names = {word.rpartition("/")[2].rstrip("0123456789.-") for word in shell}
    if names & _TAKING_ALL:
        return []
    return ["--"] if names & _TAKING_OPTIONS else shell[:1]
