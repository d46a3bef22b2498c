"""The dashboard opens on the symptoms, and asks for what there is.

Each expression is asked of a live Prometheus in ``tests/integration/test_alerts.py``.
"""

import re

from tests.prometheus.dashboard import DASHBOARD, GRAFANA, expressions, names_in, panels
from tests.prometheus.rules import ROOT, all_rules, load

_METRICS = (ROOT / "docs" / "metrics.md").read_text()
#: What the samples of a histogram are called besides.
_PARTS = re.compile(r"_(bucket|sum|count)$")


def _is_there(name: str) -> bool:
    recorded = {rule.name for rule in all_rules() if not rule.is_alert}
    return name in recorded or f"`{_PARTS.sub('', name)}`" in _METRICS or f"`{name}`" in _METRICS


def test_it_opens_on_what_users_feel() -> None:
    first = [panel["title"] for panel in panels()[:11]]

    assert DASHBOARD["panels"][0]["title"] == "What users feel"
    for what in ("On time", "Succeed", "Discarded in an hour", "Oldest that waits", "Jobs overdue"):
        assert what in first
    for what in ("Start delay of first attempts", "Messages not folded yet"):
        assert what in first
    assert "Workers that are well" in first


def test_it_asks_for_metrics_that_there_are() -> None:
    named = {name for _, expression in expressions() for name in names_in(expression)}

    assert len(named) > 40
    assert {name for name in named if not _is_there(name)} == set()


def test_rules_ask_for_metrics_that_there_are() -> None:
    named = {name for rule in all_rules() for name in names_in(rule.expression)}

    assert {name for name in named if not _is_there(name)} == set()


def test_each_panel_says_in_which_unit_and_of_which_prometheus() -> None:
    for panel in panels():
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        for target in panel["targets"]:
            assert target["datasource"]["uid"] == "${datasource}", panel["title"]


def test_panels_have_ids_and_places_of_their_own() -> None:
    every = DASHBOARD["panels"]
    places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in every]

    assert len({panel["id"] for panel in every}) == len(every)
    assert len(set(places)) == len(places)
    assert all(p["gridPos"]["x"] + p["gridPos"]["w"] <= 24 for p in every)


def test_grafana_finds_the_dashboard_and_prometheus_by_itself() -> None:
    [source] = load(GRAFANA / "provisioning" / "datasources" / "prometheus.yml")["datasources"]
    [provider] = load(GRAFANA / "provisioning" / "dashboards" / "cronstream.yml")["providers"]

    assert (source["type"], source["url"]) == ("prometheus", "${PROMETHEUS_URL}")
    assert provider["options"]["path"] == "/etc/grafana/dashboards"
