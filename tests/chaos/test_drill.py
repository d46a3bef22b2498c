from typing import Any

import pytest

from chaos.drill import DRILLS, Drill, Result, line, until_calm
from chaos.stage import Stage
from tests.prometheus.rules import alerts

#: What no drill raises, and where it is seen instead.
NOT_DRILLED = {
    "Watchdog": "it is always on",
    "RunsNotHandedOver": "no job of the drills follows one of another cluster",
}


def test_each_alert_has_a_drill_or_a_reason_for_none() -> None:
    drilled = {one.alert for one in DRILLS}
    written = {alert.name.removeprefix("Cronstream") for alert in alerts()}

    assert drilled | NOT_DRILLED.keys() == written
    assert drilled & NOT_DRILLED.keys() == set()


def test_what_belongs_to_a_drill_are_alerts() -> None:
    written = {alert.name.removeprefix("Cronstream") for alert in alerts()}

    assert frozenset[str]().union(*(one.also for one in DRILLS)) <= written


async def _nothing(_: Stage) -> None:
    """Do nothing."""


def test_a_drill_is_well_if_its_alert_came_and_went_and_no_other_came() -> None:
    one = Drill("x is killed", "NoWorkers", _nothing, _nothing, frozenset({"ProcessDown"}))

    assert Result(one, 8.2, 4.0, ("ProcessDown",)).is_well
    assert not Result(one, None, 4.0, ()).is_well
    assert not Result(one, 8.2, None, ()).is_well
    assert not Result(one, 8.2, 4.0, ("JobStuck",)).is_well
    assert line(Result(one, 8.2, None, ("A", "B"))) == (
        "| x is killed | NoWorkers | 8 s | never | A, B |"
    )


class Alerts:
    """What Prometheus says of alerts, each time it is asked; the last for good."""

    def __init__(self, *states: dict[str, str]) -> None:
        self._states = list(states)

    async def ask(self, expression: str) -> list[dict[str, dict[str, str]]]:
        on = self._states.pop(0) if len(self._states) > 1 else self._states[0]
        wants = ("firing",) if "firing" in expression else ("firing", "pending")
        return [{"metric": {"alertname": name}} for name, state in on.items() if state in wants]


async def test_what_a_start_is_about_to_raise_is_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("chaos.drill._LOOK_AGAIN_S", 0)
    pending, firing = ({"CronstreamSchedulerSilent": state} for state in ("pending", "firing"))
    alerts: Any = Alerts(pending, pending, firing, firing, {}, {"JobStuck": "firing"})

    await until_calm(alerts)

    assert await alerts.ask("ALERTS") == [{"metric": {"alertname": "JobStuck"}}]
