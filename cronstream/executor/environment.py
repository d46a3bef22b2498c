"""What a command finds in its environment of what its worker was started with."""

from collections.abc import Mapping
from typing import Final

#: How the names of settings begin: ours, and Faust's, which sets some of its own itself
#: (``faust.types._env``). They are the worker's, and a command that is a program of the same kind
#: would take them for its own.
_SETTINGS: Final = ("CRONSTREAM_", "FAUST_", "F_")


def for_commands(ours: Mapping[str, str]) -> dict[str, str]:
    """Return a worker's environment without what sets the worker itself."""
    return {name: text for name, text in ours.items() if not name.startswith(_SETTINGS)}
