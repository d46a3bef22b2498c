"""``docker-compose.yml`` is right: in form, by the specification's own schema, and in sense.

``compose-spec.json`` is the schema of https://github.com/compose-spec/compose-spec (Apache-2.0).
"""

import json
import re
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
#: What is not cronstream's own.
MONITORING = ("prometheus", "alertmanager", "grafana")
OTHERS = ("kafka", *MONITORING)
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


def _own(compose: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return the services that are cronstream's own."""
    return [(name, one) for name, one in compose["services"].items() if name not in OTHERS]


def _command(service: dict[str, Any]) -> str:
    return " ".join(service["command"])


def test_it_has_the_form_that_the_compose_specification_asks_for(compose: dict[str, Any]) -> None:
    schema = json.loads((HERE / "compose-spec.json").read_text())

    faults = list(jsonschema.Draft7Validator(schema).iter_errors(compose))

    assert [fault.message for fault in faults] == []


def test_each_cluster_of_the_crontab_has_a_worker_and_a_retry_worker(
    compose: dict[str, Any],
) -> None:
    commands = [_command(service) for _, service in _own(compose)]

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

    assert kafka["image"] == f"${{KAFKA_IMAGE:-apache/kafka:{KAFKA_VERSION}}}"
    for name in names:
        variable = f"KAFKA_{name.replace('.', '_').upper()}"
        assert str(kafka["environment"].get(variable)) == properties[name], name


def test_every_part_waits_for_a_kafka_that_is_well(compose: dict[str, Any]) -> None:
    assert "healthcheck" in compose["services"]["kafka"]
    for _, service in _own(compose):
        assert service["depends_on"]["kafka"]["condition"] == "service_healthy"
        assert service["environment"]["CRONSTREAM_BROKER"] == "kafka://kafka:19092"


def test_nothing_runs_as_root_or_listens_beyond_this_machine(compose: dict[str, Any]) -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()

    assert "\nUSER 10001:0\n" in dockerfile
    for service in compose["services"].values():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_the_console_keeps_its_file_and_takes_a_token_if_there_is_one(
    compose: dict[str, Any],
) -> None:
    console = compose["services"]["console"]
    asked = console["environment"]

    assert console["command"] == ["console"]
    assert console["ports"] == [f"127.0.0.1:6060:{asked['CRONSTREAM_WEB_PORT']}"]
    assert console["volumes"] == ["console-data:/var/lib/cronstream"]
    assert console["tmpfs"] == ["/tmp"]
    assert console["secrets"] == ["console-token"]
    # Without a file there is no token: then it is only to be read, and by who is on this machine.
    assert compose["secrets"]["console-token"] == {"file": "${CONSOLE_TOKEN_FILE:-/dev/null}"}
    token = asked["CRONSTREAM_WEB_TOKEN_FILE"]
    assert token == "${CONSOLE_TOKEN_FILE:+/run/secrets/console-token}"
    given = Settings(web_bind=asked["CRONSTREAM_WEB_BIND"], web_behind_tls=True)
    given.see_that_pages_are_guarded(given.web_bind)


def test_an_init_reaps_and_the_image_sees_whether_a_process_is_well(
    compose: dict[str, Any],
) -> None:
    for _, service in _own(compose):
        assert service["init"] is True
        assert "healthcheck" not in service
        assert "--web-port" not in _command(service)


def test_every_process_has_the_time_that_it_may_take_to_end(compose: dict[str, Any]) -> None:
    for _, service in _own(compose):
        assert int(service["stop_grace_period"].removesuffix("s")) > Settings().drain_s + 45


def test_prometheus_scrapes_each_process_where_it_serves_metrics(compose: dict[str, Any]) -> None:
    config = YAML(typ="safe").load(ROOT / "ops" / "prometheus" / "compose.yml")
    [scrape] = config["scrape_configs"]
    [found] = scrape["dns_sd_configs"]

    assert scrape["job_name"] == "cronstream"
    assert found["names"] == [name for name, _ in _own(compose)]
    for _, service in _own(compose):
        bind = service["environment"]["CRONSTREAM_METRICS_BIND"]
        assert Settings(metrics_bind=bind).metrics_bind == f"0.0.0.0:{found['port']}"


def test_the_monitoring_is_that_of_ops_and_each_part_finds_the_next(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]
    ours = YAML(typ="safe").load(ROOT / "ops" / "prometheus" / "prometheus.yml")
    theirs = YAML(typ="safe").load(ROOT / "ops" / "prometheus" / "compose.yml")

    assert [ours[part] for part in ("global", "rule_files")] == [
        theirs[part] for part in ("global", "rule_files")
    ]
    assert "--config.file=/etc/prometheus/compose.yml" in services["prometheus"]["command"]
    assert theirs["alerting"]["alertmanagers"] == [
        {"static_configs": [{"targets": ["alertmanager:9093"]}]}
    ]
    assert services["grafana"]["environment"]["PROMETHEUS_URL"] == "http://prometheus:9090"
    for name in MONITORING:
        mounts = [mount.split(":") for mount in services[name]["volumes"]]
        from_here = [mount for mount in mounts if mount[0].startswith("./")]
        assert from_here
        assert all((ROOT / folder).is_dir() and mode == "ro" for folder, _, mode in from_here)
        assert {mount[0] for mount in mounts if len(mount) == 2} <= set(compose["volumes"])


def test_what_is_not_ours_has_a_version_that_can_be_replaced(compose: dict[str, Any]) -> None:
    for name in OTHERS:
        image = compose["services"][name]["image"]
        assert re.fullmatch(rf"\$\{{{name.upper()}_IMAGE:-[\w/]+:v?\d+\.\d+\.\d+}}", image)
