"""Renders the chart by Helm itself, as text and as what Kubernetes would be given."""

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "ops" / "helm" / "cronstream"
#: Values that the chart is tried with: the least, a closed production, clusters that differ.
VALUES = sorted((CHART / "ci").glob("*.yaml"))
#: The oldest version that Chart.yaml names, which `helm template` has to be told of.
OLDEST = "1.27.0"


@cache
def helm() -> str:
    """Return Helm: what `make helm` has built, or what is installed.

    Without it tests are skipped, but not in CI: there it is a failure.
    """
    built = sorted((ROOT / ".tools").glob("helm-*/helm"))
    found = str(built[-1]) if built else shutil.which("helm")
    if found is None:
        missing = "there is no Helm: 'make helm' builds it, if Go is installed"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    return found


def ask(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Run Helm, and return what it says."""
    command = [helm(), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def template(values: Path, *chosen: str) -> subprocess.CompletedProcess[str]:
    """Render the chart with values of a file, and what `--set` would be given."""
    sets = [word for one in chosen for word in ("--set", one)]
    options = ("--namespace", "jobs", "--kube-version", OLDEST, "--values", values, *sets)
    return ask("template", "nightly", CHART, *options)


@cache
def render(values: Path, *chosen: str) -> list[dict[str, Any]]:
    """Return the manifests, read as Kubernetes reads them (YAML 1.1)."""
    answer = template(values, *chosen)
    assert answer.returncode == 0, answer.stderr
    return [one for one in yaml.safe_load_all(answer.stdout) if one]


def of_kind(manifests: list[dict[str, Any]], *kinds: str) -> dict[str, dict[str, Any]]:
    """Return the manifests of some kinds, by their names."""
    return {one["metadata"]["name"]: one for one in manifests if one["kind"] in kinds}


def pods(manifests: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the specification of each pod, by the name of what makes it."""
    makers = of_kind(manifests, "Deployment", "Job")
    return {name: maker["spec"]["template"]["spec"] for name, maker in makers.items()}


def container(pod: dict[str, Any]) -> dict[str, Any]:
    """Return the only container of a pod."""
    [found] = pod["containers"]
    return dict(found)


def environment(pod: dict[str, Any]) -> dict[str, str]:
    """Return the variables of a pod; of what a Secret has, the name of the Secret."""
    return {
        one["name"]: one["value"] if "value" in one else one["valueFrom"]["secretKeyRef"]["name"]
        for one in container(pod)["env"]
    }


def mounted_files(pod: dict[str, Any]) -> set[str]:
    """Return the path of each file that Secrets and ConfigMaps bring into a pod."""
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    found = set()
    for mount in container(pod)["volumeMounts"]:
        volume = volumes[mount["name"]]
        sources = volume.get("projected", {}).get("sources", [volume])
        for source in sources:
            for kind in {"secret", "configMap"} & source.keys():
                items = source[kind].get("items", [])
                found |= {f"{mount['mountPath']}/{item['path']}" for item in items}
    return found
