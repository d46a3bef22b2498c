"""A command line over a broker of lists."""

import json
from collections.abc import Callable
from typing import Any, TypeAlias

import pytest
from click.testing import CliRunner, Result

from cronstream.cli.main import main
from cronstream.core.wire.runs import Job
from tests.builders import NOON
from tests.cli.fake_broker import FakeBroker

Command: TypeAlias = Callable[..., Result]


@pytest.fixture
def broker() -> FakeBroker:
    return FakeBroker("cluster-a")


@pytest.fixture
def command(broker: FakeBroker) -> Command:
    """Run a command line against the broker of the test."""

    def run(*arguments: str, given: str | None = None) -> Result:
        return CliRunner().invoke(main, arguments, input=given, obj=broker.connections)

    return run


def json_lines(result: Result) -> list[dict[str, Any]]:
    """Return the objects that a command has printed."""
    assert result.exit_code == 0, result.stderr
    return [json.loads(line) for line in result.stdout.splitlines()]


def a_job(name: str = "backup", **fields: Any) -> Job:
    values: dict[str, Any] = {
        "name": name,
        "cluster": "cluster-a",
        "schedule": "@daily",
        "timezone": "UTC",
        "command": "true",
        "effective_from": NOON,
        **fields,
    }
    return Job(**values)


@pytest.fixture(autouse=True)
def _nobody_announces_itself_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have ``doctor`` not wait for the next process that announces itself."""
    monkeypatch.setattr("cronstream.cli.doctor_facts._SOON_S", 0.0)
