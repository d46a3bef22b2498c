"""Loads what a command needs, and no more, as quickly as that goes.

Most of the time that a short command takes is that of its imports.
"""

import gc
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


def load(name: str) -> ModuleType:
    """Return a command's module, by its name."""
    if name in sys.modules:
        return sys.modules[name]
    with _kept():
        return importlib.import_module(name)


@contextmanager
def _kept() -> Iterator[None]:
    """Keep what the block makes out of the garbage collector's sight, to the process's end.

    Modules, classes and functions are hardly ever garbage. To go through them again and again
    while they are loaded, and once more before the process ends, took a third of a command's time.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 20, 50)  # As in a process of the application.
        gc.enable()
