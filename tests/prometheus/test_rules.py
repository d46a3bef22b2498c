"""The rules are ones that Prometheus takes, and each alert fires, and stays silent, when it should.

What each does is in ``ops/prometheus/tests``, which people run with ``promtool test rules``.
"""

import re
import subprocess
from pathlib import Path

import pytest

from tests.prometheus.installed import installed
from tests.prometheus.rules import PROMETHEUS, RULES, Rule, alerts, all_rules, load

TESTS = sorted((PROMETHEUS / "tests").glob("*.yml"))
ALERTS = alerts()


def _promtool(*words: str | Path) -> subprocess.CompletedProcess[str]:
    command = [installed("promtool"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def test_prometheus_takes_the_configuration_and_the_rules() -> None:
    for name in ("prometheus.yml", "compose.yml"):
        done = _promtool("check", "config", PROMETHEUS / name)
        assert done.returncode == 0, done.stdout + done.stderr
    done = _promtool("check", "rules", "--lint=all", "--lint-fatal", *RULES.glob("*.yml"))
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.stem))
def test_an_alert_fires_and_stays_silent_as_its_tests_say(path: Path) -> None:
    done = _promtool("test", "rules", path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_has_tests_and_none_has_them_without_being_there() -> None:
    assert {path.stem for path in TESTS} == {alert.page for alert in ALERTS}


@pytest.mark.parametrize("path", TESTS, ids=lambda path: str(path.stem))
def test_each_alert_is_tried_where_it_fires_where_it_does_not_and_without_its_series(
    path: Path,
) -> None:
    tests = load(path)["tests"]
    checks = [check for test in tests for check in test["alert_rule_test"]]
    fired = {
        (check["alertname"], one["exp_labels"]["severity"])
        for check in checks
        for one in check["exp_alerts"]
    }
    written = {(a.name, a.labels["severity"]) for a in ALERTS if a.page == path.stem}

    assert fired == written
    assert any(not test.get("input_series") for test in tests)
    if path.stem != "watchdog":
        assert any(not check["exp_alerts"] for check in checks)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert.name}-{alert.labels}")
def test_an_alert_says_how_grave_it_is_where_it_is_and_what_to_do_first(alert: Rule) -> None:
    assert alert.name.startswith("Cronstream")
    assert alert.labels["severity"] in {"page", "ticket", "none"}
    assert alert.annotations.keys() == {"summary", "description", "runbook_url"}
    told = alert.annotations["summary"]
    for label in ("cluster", "cron_job"):
        if re.search(rf"by \([^)]*\b{label}\b", alert.expression):
            assert f"$labels.{label}" in told


def test_what_an_alert_is_worked_out_from_is_recorded() -> None:
    recorded = {rule.name for rule in all_rules() if not rule.is_alert}
    used = {name for alert in ALERTS for name in re.findall(r"cronstream:[\w:]+", alert.expression)}

    assert used <= recorded
