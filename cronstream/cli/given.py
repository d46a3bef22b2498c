"""The options of ``cronstream`` itself, handed on as the variables that settings read."""

import os
from collections.abc import Mapping
from typing import Any

_OPTIONS = ("broker", "crontab", "data_dir")


def hand_on(given: Mapping[str, Any]) -> None:
    """Set the variable of each option that was given."""
    for name in _OPTIONS:
        if given.get(name) is not None:
            os.environ[f"CRONSTREAM_{name.upper()}"] = given[name]
