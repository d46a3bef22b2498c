"""``docker-compose.yml`` is right: in form, by the specification's own schema, and in sense.

``compose-spec.json`` is the schema of https://github.com/compose-spec/compose-spec (Apache-2.0).
"""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from cronstream.crontab_file import read_crontab

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


@pytest.fixture
def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
    return loaded


def _command(service: dict[str, Any]) -> str:
    return " ".join(service["command"])


def test_it_has_the_form_that_the_compose_specification_asks_for(compose: dict[str, Any]) -> None:
    schema = json.loads((HERE / "compose-spec.json").read_text())

    faults = list(jsonschema.Draft7Validator(schema).iter_errors(compose))

    assert [fault.message for fault in faults] == []


def test_each_cluster_of_the_crontab_has_a_worker_and_a_retry_worker(
    compose: dict[str, Any],
) -> None:
    commands = {
        _command(service) for service in compose["services"].values() if "command" in service
    }

    for cluster in read_crontab(ROOT / "crontab.yaml").clusters:
        assert f"worker --cluster {cluster.name} --web-port 6066" in commands
        assert f"worker --cluster {cluster.name} --retry --web-port 6066" in commands
    assert "worker --web-port 6066" in commands


def test_every_part_waits_for_a_kafka_that_is_well(compose: dict[str, Any]) -> None:
    services = compose["services"]

    assert "healthcheck" in services["kafka"]
    for name, service in services.items():
        if name != "kafka":
            assert service["depends_on"]["kafka"]["condition"] == "service_healthy"
            assert service["environment"]["CRONSTREAM_BROKER"] == "kafka://kafka:19092"


def test_nothing_runs_as_root_or_listens_beyond_this_machine(compose: dict[str, Any]) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()

    assert "\nUSER cronstream\n" in dockerfile
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_every_process_is_asked_whether_it_is_well(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if name != "kafka":
            assert "127.0.0.1:6066/health'" in service["healthcheck"]["test"][-1]
            assert "--web-port 6066" in _command(service)


def test_the_image_says_when_it_is_not_well() -> None:
    healthcheck = (ROOT / "Dockerfile").read_text().partition("HEALTHCHECK")[2]

    assert "127.0.0.1:6066/health'" in healthcheck
