"""The dashboard of ops/grafana as values."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.prometheus.rules import ROOT

GRAFANA = ROOT / "ops" / "grafana"
DASHBOARD: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "cronstream.json").read_text())
#: What Grafana puts in the place of its variables.
_VARIABLES = {"$cluster": ".*", "$__rate_interval": "10s"}


def panels() -> list[dict[str, Any]]:
    """Return the panels in the order in which they are seen; rows aside."""
    return [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[tuple[str, str]]:
    """Yield each expression as it is asked, with the title of its panel."""
    for panel in panels():
        for target in panel["targets"]:
            yield panel["title"], asked(target["expr"])
    for annotation in DASHBOARD["annotations"]["list"]:
        yield annotation["name"], asked(annotation["target"]["expr"])


def asked(expression: str) -> str:
    """Return an expression with values in the place of Grafana's variables."""
    for variable, value in _VARIABLES.items():
        expression = expression.replace(variable, value)
    return expression


def names_in(expression: str) -> set[str]:
    """Return the series of cronstream's that an expression is about."""
    return set(re.findall(r"cronstream(?::[\w:]+|_\w+)", expression))
