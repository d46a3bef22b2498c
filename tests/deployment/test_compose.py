"""``docker-compose.yml`` is right: in form, by the specification's own schema, and in sense.

``compose-spec.json`` is the schema of https://github.com/compose-spec/compose-spec (Apache-2.0).
"""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from cronstream.broker.jars import KAFKA_VERSION
from cronstream.broker.layout import Membership, server_properties
from cronstream.crontab_file import read_crontab
from cronstream.settings import Settings

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
#: What the embedded one has smaller than Kafka's habit, since it shares a machine with everything.
SIZES = {
    "num.partitions",
    "num.network.threads",
    "num.io.threads",
    "background.threads",
    "log.cleaner.dedupe.buffer.size",
    "offsets.topic.num.partitions",
    "transaction.state.log.num.partitions",
    "share.coordinator.state.topic.num.partitions",
}


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
    commands = [
        _command(service) for service in compose["services"].values() if "command" in service
    ]

    for cluster in read_crontab(ROOT / "crontab.yaml").clusters:
        assert f"worker --cluster {cluster.name}" in commands
        assert f"worker --cluster {cluster.name} --retry" in commands
    assert commands.count("worker") == 2


def test_schedulers_see_a_folder_with_nothing_but_the_example_in_it_and_may_not_write(
    compose: dict[str, Any],
) -> None:
    [folder] = (ROOT / "ops" / "crontab").iterdir()

    assert folder.read_text() == (ROOT / "crontab.yaml").read_text()
    for name in ("scheduler", "scheduler-2"):
        mounts = compose["services"][name]["volumes"]
        assert mounts == ["${CRONTAB_FOLDER:-./ops/crontab}:/etc/cronstream:ro"]
    assert "volumes" not in compose["services"]["worker-cluster-a"]


def test_its_kafka_is_the_embedded_one_with_the_same_settings(compose: dict[str, Any]) -> None:
    kafka = compose["services"]["kafka"]
    text = server_properties(Path("/d"), 9092, Membership(1, {1: 9093}))
    properties = dict(line.split("=", 1) for line in text.splitlines() if line)
    *_, behaviour = text.split("\n\n", 1)
    names = {line.partition("=")[0] for line in behaviour.splitlines() if line} - SIZES

    assert kafka["image"] == f"apache/kafka:{KAFKA_VERSION}"
    for name in names:
        variable = f"KAFKA_{name.replace('.', '_').upper()}"
        assert str(kafka["environment"].get(variable)) == properties[name], name


def test_every_part_waits_for_a_kafka_that_is_well(compose: dict[str, Any]) -> None:
    services = compose["services"]

    assert "healthcheck" in services["kafka"]
    for name, service in services.items():
        if name != "kafka":
            assert service["depends_on"]["kafka"]["condition"] == "service_healthy"
            assert service["environment"]["CRONSTREAM_BROKER"] == "kafka://kafka:19092"


def test_nothing_runs_as_root_or_listens_beyond_this_machine(compose: dict[str, Any]) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()

    assert "\nUSER 10001:0\n" in dockerfile
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_an_init_reaps_and_the_image_sees_whether_a_process_is_well(
    compose: dict[str, Any],
) -> None:
    for name, service in compose["services"].items():
        if name != "kafka":
            assert service["init"] is True
            assert "healthcheck" not in service
            assert "--web-port" not in _command(service)


def test_every_process_has_the_time_that_it_may_take_to_end(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        if name != "kafka":
            assert int(service["stop_grace_period"].removesuffix("s")) > Settings().drain_s + 45
