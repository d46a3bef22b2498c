"""Loads Faust's records without the HTTP client, which is a fifth of what a command takes to start.

`faust.types` imports aiohttp only to name its session in annotations (faust-streaming 0.15), and
with it come the certificates of all authorities. While that module is loaded, a stand-in has its
place; whoever imports aiohttp later gets the real one.
"""

import importlib
import sys
from types import ModuleType
from typing import Final

_NAMES: Final = ("aiohttp", "aiohttp.client")


class ClientSession:
    """Stands for aiohttp's in Faust's annotations."""


def load_records() -> None:
    """Load what the ledgers' records need of Faust, if nobody has loaded more than that."""
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
