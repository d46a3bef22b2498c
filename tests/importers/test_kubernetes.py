"""CronJobs of Kubernetes: each field, and what belongs to the pods of the workers."""

from typing import Any

import pytest
from ruamel.yaml import YAML

from cronstream.core.wire.control import NEVER
from cronstream.importers.found import ForeignError
from tests.importers.imported import Imported, imported

CRONJOB = """\
apiVersion: batch/v1
kind: CronJob
metadata: {name: report, namespace: shop}
spec:
  schedule: "0 7 * * 1-5"
  %s
  jobTemplate:
    spec:
      %s
      template:
        spec:
          %s
          containers:
            - name: main
              image: shop/report:1
              %s
"""


def cronjob(
    spec: str = "", job: str = "", pod: str = "", container: str = "command: [report]"
) -> Imported:
    return imported(CRONJOB % (spec, job, pod, container))


def test_a_cronjob_is_a_job_with_kubernetes_attempts_and_waits() -> None:
    found = cronjob()

    assert found.only == {
        "cluster": "c",
        "name": "report",
        "schedule": "0 7 * * 1-5",
        "missed": "once",
        "max_attempts": 7,
        "backoff": {"first": "10s", "ceiling": "6m"},
        "command": ["report"],
    }
    assert found.notes == [
        "f:15: it ran in the image shop/report:1; its workers need the programs of that"
    ]


@pytest.mark.parametrize(
    ("spec", "key", "value"),
    [
        ("timeZone: Europe/Berlin", "timezone", "Europe/Berlin"),
        ("concurrencyPolicy: Forbid", "overlap", "skip"),
        ("concurrencyPolicy: Replace", "overlap", "replace"),
        ("concurrencyPolicy: Allow", "overlap", None),
        ("startingDeadlineSeconds: 300", "missed_grace", "5m"),
        ("startingDeadlineSeconds: 300", "missed", None),
        ("suspend: true", "enabled", False),
        ("suspend: false", "enabled", None),
        ("suspend: yes", "enabled", False),
    ],
)
def test_what_a_cronjob_says_of_its_runs_is_said_of_the_job(
    spec: str, key: str, value: str | None
) -> None:
    assert cronjob(spec).only.get(key) == value


def test_a_suspended_cronjob_is_a_job_that_the_file_pauses() -> None:
    found = cronjob("suspend: true")

    assert found.lost == []
    assert found.jobs["report"].paused_to == NEVER


@pytest.mark.parametrize(
    ("job", "key", "value"),
    [
        ("backoffLimit: 0", "max_attempts", None),
        ("backoffLimit: 0", "backoff", None),
        ("backoffLimit: 2", "max_attempts", 3),
        ("backoffLimit: 500", "max_attempts", 100),
        ("activeDeadlineSeconds: 90", "timeout", "1m30s"),
    ],
)
def test_what_a_job_says_of_attempts_is_said_of_the_job(job: str, key: str, value: object) -> None:
    assert cronjob(job=job).only.get(key) == value


@pytest.mark.parametrize(
    ("container", "settings"),
    [
        ("command: [sh, -c, 'a | b']", {"command": "a | b"}),
        ("command: [/bin/bash, -ec]\n              args: [a]", {"command": "a"}),
        ("command: [/bin/bash, -ec]\n              args: [a]", {"shell": "/bin/bash -ec"}),
        ("command: [a]\n              args: [b, 1, true]", {"command": ["a", "b", "1", "true"]}),
        ("args: [/bin/sh, -c, a]", {"command": "a"}),
        ("command: [a]\n              workingDir: /srv", {"cwd": "/srv"}),
        ("command: [a]\n              securityContext: {runAsUser: 1000}", {"user": 1000}),
    ],
)
def test_a_container_is_the_command(container: str, settings: dict[str, Any]) -> None:
    found = cronjob(container=container)
    assert settings.items() <= found.only.items()


ENV = """\
command: [run, "$(NAME)-x", "$$(NAME)", "$(OTHER)"%s]
              env:
                - {name: NAME, value: n}
                - {name: EMPTY}
                - {name: URL, value: "a://$(NAME)@b"}
                - {name: TOKEN, valueFrom: {secretKeyRef: {name: s, key: k}}}
                - {name: WHOLE, value: "x:$(TOKEN)"}
                - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
"""


def test_variables_are_put_in_where_kubernetes_puts_them() -> None:
    found = cronjob(container=ENV % "")

    assert found.only["command"] == ["run", "n-x", "$(NAME)", "$(OTHER)"]
    assert found.only["env"] == {
        "NAME": "n",
        "EMPTY": "",
        "URL": "a://n@b",
        "TOKEN": {"from": "TOKEN"},
        "WHOLE": {"from": "WHOLE"},
    }
    said = " ".join(found.notes)
    assert "f:21: TOKEN is in the secret 's'; give the workers the variable TOKEN" in said
    assert "f:22: WHOLE is made of TOKEN" in said
    assert "f:23: NODE comes from fieldRef" in said


def test_a_secret_in_an_argument_is_put_in_by_a_shell() -> None:
    found = cronjob(container=ENV % ', "it\'s $(TOKEN)"')
    assert found.only["command"] == (
        """run "${NAME}"-x '$(''NAME)' '$(OTHER)' 'it'"'"'s '"${TOKEN}\""""
    )


@pytest.mark.parametrize(
    ("pod", "said"),
    [
        ("volumes: [{name: x}]", "f:12: volumes: mount what the command needs"),
        ("serviceAccountName: x", "f:12: serviceAccountName: give the account"),
        ("nodeSelector: {a: b}", "f:12: nodeSelector: where a job runs is its cluster"),
        ("initContainers: [{name: x}]", "f:12: initContainers: a run is one command"),
    ],
)
def test_what_belongs_to_a_pod_is_noted(pod: str, said: str) -> None:
    assert any(note.startswith(said) for note in cronjob(pod=pod).notes)


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ("{runAsGroup: 3000}", "f:12: runAsGroup: 'user' has that user's own groups"),
        ("{fsGroup: 2000}", "f:12: fsGroup: 'user' has that user's own groups"),
        ("{sysctls: [], a: b}", "f:12: sysctls, a: give it to the pods of the workers"),
    ],
)
def test_what_a_security_context_says_beside_the_user_is_noted(context: str, said: str) -> None:
    found = cronjob(pod=f"securityContext: {context}")
    assert said in found.notes


def test_the_user_of_a_container_goes_before_that_of_its_pod() -> None:
    found = cronjob(
        pod="securityContext: {runAsUser: 1, fsGroup: 2}",
        container="command: [a]\n              securityContext: {runAsUser: 3, runAsNonRoot: true}",
    )

    assert found.only["user"] == 3
    assert len(found.notes) == 2


def test_a_variable_that_may_be_missing_there_is_noted() -> None:
    source = "valueFrom: {secretKeyRef: {name: s, key: k, optional: true}}"
    found = cronjob(container=f"command: [a]\n              env: [{{name: A, {source}}}]")

    assert "f:17: A is optional there; here a run without it fails" in found.notes


@pytest.mark.parametrize(
    ("spec", "job", "key", "value", "said"),
    [
        ("suspend: 'true'", "", "enabled", False, "f:6: suspend 'true' is text"),
        ("suspend: 'false'", "", "enabled", None, "f:6: suspend 'false' is text"),
        ("", "backoffLimit: '2'", "max_attempts", 3, "f:9: backoffLimit '2' is text"),
        ("", "backoffLimit: two", "max_attempts", 7, "f:9: backoffLimit 'two' is no number"),
        ("", "backoffLimit: -1", "max_attempts", 7, "f:9: backoffLimit '-1' is no number"),
        ("concurrencyPolicy: forbid", "", "overlap", None, "f:6: concurrencyPolicy 'forbid'"),
    ],
)
def test_what_kubernetes_would_refuse_is_noted_at_its_line(
    spec: str, job: str, key: str, value: object, said: str
) -> None:
    found = cronjob(spec, job)

    assert found.only.get(key) == value
    assert any(note.startswith(said) for note in found.notes), found.notes


@pytest.mark.parametrize("key", ["parallelism", "completions"])
def test_several_pods_for_a_run_are_noted(key: str) -> None:
    assert any(key in note for note in cronjob(job=f"{key}: 2").notes)


def test_of_several_containers_the_first_is_taken() -> None:
    found = cronjob(container="command: [a]\n            - {name: other, image: x}")

    assert found.only["command"] == ["a"]
    assert any("of its 2 containers only 'main'" in note for note in found.notes)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CRONJOB % ("", "", "", ""), "is in the image shop/report:1 alone"),
        (CRONJOB % ("", "", "", "args: [--all]"), "its program is in the image shop/report:1"),
        ("kind: CronJob\nspec: {}", "f:2: it has no schedule; 'cronjob' is left out"),
        ("kind: CronJob\nspec: {schedule: '@daily'}", "f:1: it has no container"),
        ("kind: CronJob\nspec:\n  schedule: 1 2 3", "f:3: schedule '1 2 3' has 3 fields"),
    ],
)
def test_what_a_manifest_does_not_say_leaves_the_job_out(text: str, said: str) -> None:
    found = imported(text, "kubernetes")

    assert not found.said
    assert said in found.lost[0]


def test_several_in_a_file_and_in_lists_are_all_found() -> None:
    one = CRONJOB % ("", "", "", "command: [a]")
    inner = "".join(f"    {line}\n" for line in one.splitlines())
    head = "---\n# Source: shop/templates/report.yaml\n"
    text = f"{head}{one}---\n---\nkind: List\nitems:\n  -\n{inner}"
    found = imported(text + "---\nkind: Service\nmetadata: {name: report}\n")

    assert len(found.said) == 2
    assert all(name.startswith("report") for name in found.said)


def test_a_file_without_one_says_so() -> None:
    assert imported("apiVersion: v1\nkind: Service\n").notes == ["f:1: there is no CronJob in it"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kind: CronJob\n{{- if .Values.x }}\nspec: 1\n", "f:2: it is a template; render it"),
        ('kind: CronJob\nname: "{{ include "a" . }}"', "f:2: it is a template; render it"),
        ("# {{ x }}\nkind: CronJob\nspec: [\n", "f:4: it is no YAML"),
        ("kind: CronJob\nspec: [\n", "f:3: it is no YAML"),
    ],
)
def test_what_is_no_yaml_is_refused_with_its_line(text: str, said: str) -> None:
    with pytest.raises(ForeignError, match=said):
        imported(text)


@pytest.mark.parametrize(
    ("there", "here", "line"),
    [
        ("name: report,", 'name: {{ include "x.fullname" . }},', 3),
        ("name: report,", "name: '{{ .Release.Name }}-report',", 3),
        ('"0 7 * * 1-5"', "{{ .Values.schedule | quote }}", 5),
        ('"0 7 * * 1-5"', '"{{ .Values.schedule }}"', 5),
        ("shop/report:1", '"{{ .Values.image }}"', 15),
        ("command: [a]", "command: {{ .Values.command }}", 16),
        ("jobTemplate:", "{{ .Values.key }}: 1\n  jobTemplate:", 7),
        ("jobTemplate:", "'{{ .Values.key }}': 1\n  jobTemplate:", 7),
        ("kind: CronJob", "kind: {{ .Values.kind }}", 2),
        ("kind: CronJob", "kind: '{{ .Values.kind }}'", 2),
        *(
            ("jobTemplate:", f"{key}: '{{{{ .Values.x }}}}'\n  jobTemplate:", 7)
            for key in ("timeZone", "suspend", "concurrencyPolicy", "startingDeadlineSeconds")
        ),
    ],
)
def test_a_template_that_nobody_has_rendered_is_refused_at_its_line(
    there: str, here: str, line: int
) -> None:
    text = (CRONJOB % ("", "", "", "command: [a]")).replace(there, here)
    with pytest.raises(ForeignError, match=f"^f:{line}: it is a template; render it"):
        imported(text, "kubernetes")


def test_templates_of_other_programs_stay_in_a_manifest_that_is_rendered() -> None:
    container = """\
command: [docker, ps, --format, '{{.Names}}']
              args: ["{{ .ID }}"]
              env: [{name: A, value: '{{.A}}'}]"""
    text = (CRONJOB % ("# {{ .Values.x }}", "", "", container)).replace(
        "namespace: shop", "annotations: {a: '{{ .B }}'}"
    )
    found = imported(f"{text}---\nkind: ConfigMap\ndata: {{a: '{{{{ .C }}}}'}}\n")

    assert found.only["command"] == ["docker", "ps", "--format", "{{.Names}}", "{{ .ID }}"]
    assert found.only["env"] == {"A": "{{.A}}"}


@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("[a, {b: c}]", '["a", {"b": "c"}]'),
        ("{a: {b: [c]}}", '{"a": {"b": ["c"]}}'),
        ("!!binary YQ==", "a"),
        ("!!set {a}", '["a"]'),
    ],
)
def test_what_is_no_text_is_not_shown_as_python_has_it(image: str, said: str) -> None:
    text = (CRONJOB % ("", "", "", "command: [a]")).replace("shop/report:1", image)
    assert f"it ran in the image {said};" in imported(text).notes[0]


def test_a_manifest_that_goes_round_in_circles_is_read_as_well() -> None:
    assert cronjob("x: &a [*a]").said


def test_a_zone_may_stand_before_the_schedule() -> None:
    text = (CRONJOB % ("", "", "", "command: [a]")).replace("0 7", "CRON_TZ=Asia/Tokyo 0 7")
    assert imported(text).only["timezone"] == "Asia/Tokyo"


def test_scripts_of_several_lines_stay_readable() -> None:
    script = "set -e\necho a\n\necho b\n"
    found = imported(
        CRONJOB % ("", "", "", f"command: [sh, -c, {script!r}]".replace("'", '"')),
    )

    assert found.only["command"] == script
    assert "    command: |\n      set -e\n      echo a\n\n      echo b\n" in found.text
    assert YAML(typ="safe").load(found.text)["jobs"][0]["command"] == script
