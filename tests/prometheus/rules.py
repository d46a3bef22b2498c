"""The rules of ops/prometheus as values, and the pages that belong to them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
PROMETHEUS = ROOT / "ops" / "prometheus"
RULES = PROMETHEUS / "rules"
RUNBOOKS = ROOT / "docs" / "runbooks"


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule that records or alerts.

    Attributes:
        name: Of the series that it records, or of its alert.
    """

    name: str
    is_alert: bool
    expression: str
    labels: dict[str, str]
    annotations: dict[str, str]

    @property
    def page(self) -> str:
        """What its page of the runbooks, and the file of its tests, are called."""
        return re.sub(r"(?<!^)(?=[A-Z])", "-", self.name.removeprefix("Cronstream")).lower()


def load(path: Path) -> Any:
    """Return what a YAML file says."""
    return YAML(typ="safe").load(path)


def all_rules() -> list[Rule]:
    """Return every rule of every file."""
    return [rule for path in sorted(RULES.glob("*.yml")) for rule in _rules_of(path)]


def alerts() -> list[Rule]:
    """Return every rule that alerts; of a name there may be two, of different severity."""
    return [rule for rule in all_rules() if rule.is_alert]


def _rules_of(path: Path) -> Iterator[Rule]:
    for group in load(path)["groups"]:
        for rule in group["rules"]:
            yield Rule(
                rule.get("alert") or rule["record"],
                "alert" in rule,
                rule["expr"],
                rule.get("labels", {}),
                rule.get("annotations", {}),
            )
