"""A program and its arguments as a job has them: a list, or what a shell that is named runs."""

import re
import shlex
from collections.abc import Sequence
from typing import Final

from cronstream.importers.found import Settings

_SHELLS: Final = re.compile(r"(?:/usr)?(?:/bin/)?(?:ba|da|z|k|a)?sh")


def set_words(settings: Settings, words: Sequence[str]) -> None:
    """Set what a job runs.

    A script that is a shell's argument is a command that is text: that is easier to read, and to
    edit, than an element of a list.
    """
    is_script = len(words) > 2 and _SHELLS.fullmatch(words[0])
    if not is_script or not re.fullmatch(r"-[a-z]*c", words[-2]):
        settings["command"] = list(words)
        return
    settings["command"] = words[-1]
    if list(words[:-1]) not in (["sh", "-c"], ["/bin/sh", "-c"], ["/usr/bin/sh", "-c"]):
        settings["shell"] = shlex.join(words[:-1])
