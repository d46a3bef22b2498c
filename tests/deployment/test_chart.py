"""The Helm chart: Kubernetes takes it, our processes take what it gives them, and it is closed."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml
from kubernetes_validate.utils import ValidationError, all_versions, validate

from cronstream.cli.console_command import console
from cronstream.cli.topics_command import topics
from cronstream.fitted.to_faust.commands import worker
from cronstream.settings import Settings
from tests.deployment.chart import (
    CHART,
    OLDEST,
    ROOT,
    VALUES,
    ask,
    container,
    environment,
    mounted_files,
    of_kind,
    pods,
    render,
    template,
)
from tests.deployment.operator_kinds import KINDS

MINIMAL = CHART / "ci" / "minimal-values.yaml"
SECURED = CHART / "ci" / "secured-values.yaml"
CLUSTERS = CHART / "ci" / "clusters-values.yaml"
CONSOLE = "nightly-cronstream-console"
SCHEDULER = "nightly-cronstream-scheduler"
WORKER = "nightly-cronstream-cluster-a-worker"
RETRY_WORKER = "nightly-cronstream-cluster-a-retry-worker"
#: Seconds beyond the drain time after which a process that cannot stop ends itself.
STUCK_S = 45
each_values = pytest.mark.parametrize("values", VALUES, ids=lambda path: str(path.stem))


# -- what Kubernetes and Helm take -----------------------------------------------------------------


@each_values
def test_helm_finds_nothing_wrong(values: Path) -> None:
    answer = ask("lint", "--strict", CHART, "--values", values)

    assert answer.returncode == 0, answer.stdout


@each_values
@pytest.mark.parametrize("version", [OLDEST, all_versions()[-1]])
def test_kubernetes_has_each_kind_and_each_field(values: Path, version: str) -> None:
    manifests = render(values)

    assert len(manifests) > 5
    for manifest in manifests:
        if manifest["kind"] in KINDS:
            jsonschema.validate(manifest, KINDS[manifest["kind"]])
        else:
            validate(manifest, version, strict=True)


def test_a_field_that_there_is_not_would_be_seen() -> None:
    budget = of_kind(render(MINIMAL), "PodDisruptionBudget")[SCHEDULER]

    with pytest.raises(ValidationError):
        validate({**budget, "sepc": {}}, OLDEST, strict=True)


def test_its_version_of_cronstream_is_this_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())

    assert chart["appVersion"] == project["version"]
    assert chart["kubeVersion"] == f">={OLDEST}-0"


# -- what our processes take -----------------------------------------------------------------------


@each_values
def test_each_variable_is_a_setting_and_they_fit_together(values: Path) -> None:
    known = {str(field.validation_alias) for field in Settings.model_fields.values()}

    for pod in pods(render(values)).values():
        ours = {n: value for n, value in environment(pod).items() if n.startswith("CRONSTREAM_")}
        assert ours.keys() <= known
        Settings.model_validate(ours)


@each_values
def test_each_file_that_a_variable_names_is_mounted(values: Path) -> None:
    for pod in pods(render(values)).values():
        named = {path for path in environment(pod).values() if path.startswith("/etc/")}
        assert named == mounted_files(pod)


@each_values
def test_each_program_takes_the_arguments_that_it_is_given(values: Path) -> None:
    commands = {"worker": worker._click, "topics": topics, "console": console}

    for pod in pods(render(values)).values():
        name, *arguments = container(pod)["args"]
        command: click.Command = commands[name]
        _, unknown, _ = command.make_parser(click.Context(command)).parse_args(arguments)
        assert unknown == []


@each_values
def test_each_process_has_the_time_that_it_may_take_to_end(values: Path) -> None:
    for name, pod in pods(render(values)).items():
        if not name.endswith("-topics"):
            drain_s = float(environment(pod).get("CRONSTREAM_DRAIN_S", Settings().drain_s))
            assert pod["terminationGracePeriodSeconds"] > drain_s + STUCK_S


def test_a_number_is_written_as_a_setting_is_read() -> None:
    pod = pods(render(MINIMAL, "settings.CRONSTREAM_DRAIN_S=1000000"))[WORKER]

    assert environment(pod)["CRONSTREAM_DRAIN_S"] == "1000000"
    assert pod["terminationGracePeriodSeconds"] == 1_000_055


# -- which processes there are ---------------------------------------------------------------------


def test_there_are_two_schedulers_and_for_each_cluster_workers_of_both_kinds() -> None:
    deployments = of_kind(render(MINIMAL), "Deployment")

    roles = {name: one["spec"]["replicas"] for name, one in deployments.items()}
    assert roles == {SCHEDULER: 2, WORKER: 2, RETRY_WORKER: 1}
    arguments = {name: container(pod)["args"] for name, pod in pods(render(MINIMAL)).items()}
    assert arguments == {
        SCHEDULER: ["worker"],
        WORKER: ["worker", "--cluster", "cluster-a"],
        RETRY_WORKER: ["worker", "--cluster", "cluster-a", "--retry"],
    }


def test_no_two_deployments_take_each_others_pods() -> None:
    deployments = of_kind(render(CLUSTERS), "Deployment")

    chosen = {
        json.dumps(one["spec"]["selector"]["matchLabels"], sort_keys=True)
        for one in deployments.values()
    }
    assert len(chosen) == len(deployments) == 6
    for one in deployments.values():
        labels = one["spec"]["template"]["metadata"]["labels"]
        assert one["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_a_cluster_may_have_an_image_sizes_and_a_place_of_its_own() -> None:
    made = pods(render(CLUSTERS))
    reports, gpu = made["nightly-cronstream-reports-worker"], made["nightly-cronstream-gpu-worker"]

    assert container(reports)["image"] == "registry.example.org/reports:7"
    assert environment(reports)["PGHOST"] == "db.example.org"
    assert environment(reports)["CRONSTREAM_LOG_FORMAT"] == "json"
    assert gpu["nodeSelector"] == {"accelerator": "gpu"}
    assert container(gpu)["resources"]["requests"] == {"cpu": "500m", "memory": "256Mi"}
    assert "nightly-cronstream-gpu-retry-worker" not in made


def test_workers_and_schedulers_are_upgraded_one_after_the_other() -> None:
    made = pods(render(MINIMAL, "image.tag=2.0", "scheduler.image.tag=1.0"))

    images = {name: container(pod)["image"] for name, pod in made.items()}
    assert images == {
        SCHEDULER: "cronstream:1.0",
        WORKER: "cronstream:2.0",
        RETRY_WORKER: "cronstream:2.0",
    }


def test_how_many_workers_there_are_is_left_to_whoever_counts_what_waits() -> None:
    made = render(CLUSTERS)
    everyday = "nightly-cronstream-everyday-worker"

    scalers = of_kind(made, "HorizontalPodAutoscaler")
    assert "nightly-cronstream-gpu-worker" not in scalers
    assert "replicas" not in of_kind(made, "Deployment")[everyday]["spec"]
    [metric] = scalers[everyday]["spec"]["metrics"]
    assert metric["pods"]["metric"]["name"] == "cronstream_runs_waiting"
    [metric] = scalers["nightly-cronstream-reports-worker"]["spec"]["metrics"]
    assert metric["external"]["metric"]["selector"]["matchLabels"] == {
        "namespace": "jobs",
        "cluster": "reports",
        "role": "worker",
    }
    assert of_kind(render(MINIMAL), "HorizontalPodAutoscaler") == {}


def test_topics_are_made_beforehand_and_by_whom_may() -> None:
    job = of_kind(render(SECURED), "Job")["nightly-cronstream-topics"]
    pod = job["spec"]["template"]["spec"]

    assert job["metadata"]["annotations"]["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert container(pod)["args"] == ["topics", "--create", "--cluster", "cluster-a"]
    assert environment(pod)["CRONSTREAM_BROKER_USER"] == "cronstream-admin"
    # It comes before all else: nothing of this release is there yet.
    assert "serviceAccountName" not in pod
    assert {"configMap", "nightly-cronstream-crontab"}.isdisjoint(
        key for volume in pod["volumes"] for key in volume
    )
    assert of_kind(render(MINIMAL), "Job") == {}


# -- what changes without a restart, and what does not end a process -------------------------------


def test_another_crontab_restarts_nothing() -> None:
    changed = render(MINIMAL, "crontab.content=version: 1")

    assert of_kind(changed, "ConfigMap") != of_kind(render(MINIMAL), "ConfigMap")
    assert pods(changed) == pods(render(MINIMAL))


@each_values
def test_what_may_change_is_mounted_as_a_folder(values: Path) -> None:
    for pod in pods(render(values)).values():
        assert [m for m in container(pod)["volumeMounts"] if "subPath" in m] == []


@each_values
def test_health_says_whether_a_pod_is_ready_and_never_ends_it(values: Path) -> None:
    for pod in pods(render(values)).values():
        asked = container(pod)
        if asked["args"][0] == "worker":
            port = environment(pod)["CRONSTREAM_METRICS_BIND"].rpartition(":")[2]
            assert asked["ports"] == [{"name": "metrics", "containerPort": int(port)}]
        if asked["args"][0] in ("worker", "console"):
            assert asked["readinessProbe"]["httpGet"] == {"path": "/health", "port": "metrics"}
        assert "startupProbe" not in asked
        assert "health" not in json.dumps(asked.get("livenessProbe", {}))


@each_values
def test_a_node_can_be_drained_though_kafka_is_away(values: Path) -> None:
    made = render(values)
    budgets = of_kind(made, "PodDisruptionBudget")

    assert budgets.keys() == of_kind(made, "Deployment").keys()
    for budget in budgets.values():
        assert budget["spec"]["unhealthyPodEvictionPolicy"] == "AlwaysAllow"
        assert budget["spec"]["maxUnavailable"] == 1


# -- how closed it is ------------------------------------------------------------------------------


@each_values
def test_a_pod_has_no_rights_and_writes_only_what_goes_with_it(values: Path) -> None:
    for pod in pods(render(values)).values():
        asked = container(pod)
        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert asked["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        written = {one["name"] for one in asked["volumeMounts"] if not one.get("readOnly")}
        assert written == {"data", "tmp"}
        volumes = {kind for one in pod["volumes"] if one["name"] in written for kind in one}
        assert volumes <= {"name", "emptyDir", "persistentVolumeClaim"}


def test_a_pods_user_may_read_the_secrets_that_are_mounted_for_it() -> None:
    for pod in pods(render(SECURED)).values():
        assert pod["securityContext"]["fsGroup"] == pod["securityContext"]["runAsGroup"]
        for volume in pod["volumes"]:
            secret = volume.get("projected") or volume.get("secret")
            assert secret is None or secret["defaultMode"] == 0o440


def test_only_schedulers_and_a_console_sign_each_with_its_own_key_and_user() -> None:
    made = pods(render(SECURED))
    key = "/etc/cronstream-signing/signing.key"
    secrets = {
        name: volume["secret"]["secretName"]
        for name, pod in made.items()
        for volume in pod["volumes"]
        if volume["name"] == "signing-key"
    }

    assert secrets == {SCHEDULER: "scheduler-signing-key", CONSOLE: "console-signing-key"}
    for name, pod in made.items():
        assert (key in mounted_files(pod)) == (name in secrets)
        assert environment(pod).get("CRONSTREAM_SIGNING_KEY") == (key if name in secrets else None)
    assert {name: environment(pod)["CRONSTREAM_BROKER_USER"] for name, pod in made.items()} == {
        SCHEDULER: "cronstream-scheduler",
        WORKER: "cronstream-workers",
        RETRY_WORKER: "cronstream-workers",
        "nightly-cronstream-topics": "cronstream-admin",
        CONSOLE: "cronstream-operator",
    }
    assert environment(made[WORKER])["CRONSTREAM_SIGNATURES"] == "require"


def test_nobody_asks_a_process_anything_and_it_asks_only_whom_it_has_to() -> None:
    policies = of_kind(render(SECURED), "NetworkPolicy")

    [rule] = policies["nightly-cronstream"]["spec"]["ingress"]
    assert rule["ports"] == [{"port": "metrics"}]
    [alone] = of_kind(render(MINIMAL), "NetworkPolicy").values()
    assert alone["spec"]["ingress"] == []
    for name in ("scheduler", "workers"):
        rules = policies[f"nightly-cronstream-{name}"]["spec"]["egress"]
        assert [port["port"] for port in rules[1]["ports"]] == [9093]
    collector = policies["nightly-cronstream-scheduler"]["spec"]["egress"][2:]
    assert [rule["ports"] for rule in collector] == [[{"port": 4318, "protocol": "TCP"}]]
    assert len(policies["nightly-cronstream-workers"]["spec"]["egress"]) == 3


def test_a_console_is_asked_at_a_service_by_whom_may_and_keeps_its_file() -> None:
    made = render(SECURED)
    pod = pods(made)[CONSOLE]
    asked, [service] = container(pod), of_kind(made, "Service").values()
    policy = of_kind(made, "NetworkPolicy")[CONSOLE]["spec"]
    deployment = of_kind(made, "Deployment")[CONSOLE]["spec"]

    assert service["spec"]["ports"][0]["targetPort"] == "web"
    assert {"name": "web", "containerPort": 6060} in asked["ports"]
    assert environment(pod)["CRONSTREAM_WEB_PORT"] == "6060"
    assert "/etc/cronstream-console/token" in mounted_files(pod)
    labels = deployment["template"]["metadata"]["labels"]
    for selector in (service["spec"]["selector"], policy["podSelector"]["matchLabels"]):
        assert selector.items() <= labels.items()
    [rule] = policy["ingress"]
    assert rule["ports"] == [{"port": "web"}]
    assert [port["port"] for port in policy["egress"][1]["ports"]] == [9093]
    # Two pods would not share the volume, which one console alone may use.
    assert deployment["strategy"] == {"type": "Recreate"}
    [data] = [one for one in pod["volumes"] if one["name"] == "data"]
    assert data["persistentVolumeClaim"] == {"claimName": "console"}
    assert CONSOLE not in pods(render(MINIMAL))


def test_prometheus_finds_every_process_also_one_that_is_not_ready() -> None:
    by_pods, by_service = render(SECURED), render(CLUSTERS)

    [monitor] = of_kind(by_pods, "PodMonitor").values()
    for deployment in of_kind(by_pods, "Deployment").values():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
    [service] = of_kind(by_service, "Service").values()
    [monitor] = of_kind(by_service, "ServiceMonitor").values()
    assert service["spec"]["publishNotReadyAddresses"] is True
    chosen = monitor["spec"]["selector"]["matchLabels"]
    assert chosen.items() <= service["metadata"]["labels"].items()
    assert of_kind(render(MINIMAL), "PodMonitor", "ServiceMonitor", "Service") == {}


def test_its_rules_are_those_of_prometheus_and_link_to_where_the_runbooks_are() -> None:
    files = sorted((ROOT / "ops" / "prometheus" / "rules").glob("*.yml"))
    groups = [group for file in files for group in yaml.safe_load(file.read_text())["groups"]]
    as_they_are, linked = (
        of_kind(render(values), "PrometheusRule")["nightly-cronstream"]["spec"]["groups"]
        for values in (CLUSTERS, SECURED)
    )

    assert len(groups) > 3
    assert as_they_are == groups
    pages = [
        rule["annotations"]["runbook_url"]
        for group in linked
        for rule in group["rules"]
        if "alert" in rule
    ]
    assert pages
    for page in pages:
        assert page.startswith("https://wiki.example.org/cronstream/runbooks/")
        assert (ROOT / "docs" / "runbooks" / page.rpartition("/")[2]).is_file()
    assert of_kind(render(MINIMAL), "PrometheusRule") == {}


# -- what people give it ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ("settings.CRONSTREAM_SLOT=3", "CRONSTREAM_SLOT"),
        ("worker.replicas=many", "replicas"),
        ("kafka.security=ssl", "security"),
        ("clusters.Cluster_B.worker.replicas=1", "Cluster_B"),
        ("worker.replica=3", "replica"),
        ("kafka.brokers=null", "kafka.brokers: name where Kafka is"),
        ("crontab.content=", "--set-file crontab.content=crontab.yaml"),
        ("signing.signatures=require", "signing.trustedKeys: name the keys"),
        ("signing.privateKey.secret=key", "signing.trustedKeys: name the keys"),
        (
            "monitoring.podMonitor.enabled=true,monitoring.serviceMonitor.enabled=true",
            "each process would be scraped twice",
        ),
        ("console.enabled=true", "console.token.secret: name the Secret"),
        (
            "console.enabled=true,console.token.secret=t,console.signingKey.secret=s",
            "signing.trustedKeys: name the keys",
        ),
        (
            "console.enabled=true,console.token.secret=t,console.existingClaim=c,console.replicas=2",
            "one console alone may use a volume",
        ),
        ("networkPolicy.workerEgress[0].to=null", "workerEgress needs networkPolicy.kafkaPorts"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(chosen: str, said: str) -> None:
    answer = template(MINIMAL, chosen)

    assert answer.returncode != 0
    assert said in answer.stderr


def test_the_values_that_the_page_begins_with_are_ones_that_the_chart_takes(
    tmp_path: Path,
) -> None:
    page = (ROOT / "docs" / "kubernetes.md").read_text()
    examples = re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    (tmp_path / "values.yaml").write_text(examples[0])
    (tmp_path / "more.yaml").write_text(examples[1])
    crontab = f"crontab.content={ROOT / 'crontab.yaml'}"

    answer = ask(
        *("template", "nightly", CHART, "--kube-version", OLDEST, "--set-file", crontab),
        *("--values", tmp_path / "values.yaml", "--values", tmp_path / "more.yaml"),
    )

    assert answer.returncode == 0, answer.stderr
    workers = [one["metadata"]["name"] for one in yaml.safe_load_all(answer.stdout) if one]
    assert "nightly-cronstream-cluster-b-retry-worker" in workers
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in answer.stdout


def _leaves(values: Any, path: str = "") -> dict[str, Any]:
    if isinstance(values, dict) and values:
        found: dict[str, Any] = {}
        for name, value in values.items():
            found |= _leaves(value, f"{path}.{name}" if path else name)
        return found
    return {path: values}


def test_each_value_is_in_its_readme_with_its_default() -> None:
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    text = (CHART / "README.md").read_text()
    rows = dict(re.findall(r"^\| `([A-Za-z_.]+)` \| (?:`(.*?)` )?\|", text, re.MULTILINE))
    leaves = _leaves(defaults)

    for path, value in leaves.items():
        above = [row for row in rows if path == row or path.startswith(f"{row}.")]
        assert above, f"{path} is not in the README"
        if path in rows:
            assert rows[path] == ("" if value == "" else json.dumps(value).strip('"')), path
    for row in rows:
        assert any(path == row or path.startswith(f"{row}.") for path in leaves), row
