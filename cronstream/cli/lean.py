"""Loads what a command needs, and no more, as quickly as that goes.

Most of the time that a short command takes is that of its imports.
"""

import gc
import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import Final

_NAMES: Final = ("aiohttp", "aiohttp.client")


def load(name: str, *, is_reader: bool) -> ModuleType:
    """Return a command's module.

    Args:
        name: The module.
        is_reader: Whether it needs the ledgers' records, and no more of Faust.
    """
    if name in sys.modules:
        return sys.modules[name]
    with _kept():
        if is_reader:
            _load_records()
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
        gc.enable()


class ClientSession:
    """Stands for aiohttp's in Faust's annotations."""


def _load_records() -> None:
    """Load Faust's records without the HTTP client, if nobody has loaded more than that.

    `faust.types` imports aiohttp only to name its session in annotations (faust-streaming 0.15),
    and with it come the certificates of all authorities: a fifth of what a command takes to start.
    While that module is loaded, a stand-in has its place; whoever imports aiohttp later gets the
    real one.
    """
    if "faust.types.web" in sys.modules or "aiohttp" in sys.modules:
        return
    for name in _NAMES:
        stand_in = sys.modules[name] = ModuleType(name)
        vars(stand_in).update(__path__=[], ClientSession=ClientSession)
    try:
        importlib.import_module("faust.types.web")
    finally:
        for name in _NAMES:
            del sys.modules[name]
