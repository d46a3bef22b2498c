"""Who gets which alert, and what is held back while another one is on."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from cronstream.broker.ports import free_port
from tests.prometheus.installed import installed
from tests.prometheus.rules import ROOT, Rule, alerts

CONFIG = ROOT / "ops" / "alertmanager" / "alertmanager.yml"
ALERTS = alerts()
RECEIVERS = {"page": "pager", "ticket": "tickets", "none": "dead-mans-switch"}
_WITHIN_S = 20.0


def _amtool(*words: str | Path) -> str:
    command = [installed("amtool"), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_alertmanager_takes_the_configuration() -> None:
    assert "SUCCESS" in _amtool("check-config", CONFIG)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: f"{alert.name}-{alert.labels}")
def test_each_alert_comes_to_who_is_meant_by_its_severity(alert: Rule) -> None:
    labels = {"alertname": alert.name, "cluster": "a", **alert.labels}
    words = [f"{name}={value}" for name, value in labels.items()]

    receiver = _amtool("config", "routes", "test", f"--config.file={CONFIG}", *words)

    assert receiver.strip() == RECEIVERS[alert.labels["severity"]]


@pytest.fixture
async def alertmanager(tmp_path: Path) -> AsyncIterator[str]:
    """A real Alertmanager with our configuration; yields its address."""
    address = f"127.0.0.1:{free_port()}"
    process = await asyncio.create_subprocess_exec(
        installed("prometheus-alertmanager"),
        f"--config.file={CONFIG}",
        f"--storage.path={tmp_path}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield f"http://{address}"
    finally:
        process.terminate()
        await process.wait()


async def test_what_follows_from_another_alert_is_held_back(alertmanager: str) -> None:
    worker, retry = {"cluster": "a", "role": "worker"}, {"cluster": "a", "role": "retry-worker"}
    on = [
        _on("NoWorkers", "page", **worker),
        _on("RunsNotStarting", "page", **worker),
        _on("RunsNotStarting", "page", cluster="b", role="worker"),
        _on("RetryBacklog", "ticket", **retry),
        _on("RunsDiscarded", "page", cluster="a"),
        _on("RunsDiscarded", "ticket", cluster="a", cron_job="x"),
        _on("RunsDiscarded", "ticket", cluster="b", cron_job="y"),
        _on("Watchdog", "none"),
    ]

    await _post(alertmanager, on)

    held = await _held_back(alertmanager, len(on))
    assert held == {
        ("CronstreamRunsNotStarting", "a", "page"),
        ("CronstreamRunsDiscarded", "a", "ticket"),
    }

    away = [_on("KafkaAway", "page"), _on("SchedulerSilent", "page"), _on("ProcessDown", "ticket")]
    await _post(alertmanager, away)

    held = await _held_back(alertmanager, len(on) + len(away))
    assert {name.removeprefix("Cronstream") for name, _, _ in held} == {
        *("RunsNotStarting", "NoWorkers", "RetryBacklog", "RunsDiscarded"),
        *("SchedulerSilent", "ProcessDown"),
    }


def _on(name: str, severity: str, **labels: str) -> dict[str, Any]:
    return {"labels": {"alertname": f"Cronstream{name}", "severity": severity, **labels}}


async def _post(address: str, on: list[dict[str, Any]]) -> None:
    for alert in on:
        words = [f"{name}={value}" for name, value in alert["labels"].items()]
        add = ("alert", "add", f"--alertmanager.url={address}", *words)
        async with asyncio.timeout(_WITHIN_S):
            while (await _said(*add))[0]:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.1)


async def _held_back(address: str, number: int) -> set[tuple[str, str, str]]:
    """Return name, cluster and severity of what is held back, once all are known there."""
    query = ("alert", "query", f"--alertmanager.url={address}", "--output=json", "-i", "-a")
    async with asyncio.timeout(_WITHIN_S):
        while True:
            status, out = await _said(*query)
            known = json.loads(out) if status == 0 else []
            if len(known) == number and all(x["status"]["state"] != "unprocessed" for x in known):
                break
            await asyncio.sleep(0.1)
    return {
        (x["labels"]["alertname"], x["labels"].get("cluster", ""), x["labels"]["severity"])
        for x in known
        if x["status"]["inhibitedBy"]
    }


async def _said(*words: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        installed("amtool"),
        *words,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    out, _ = await process.communicate()
    return process.returncode or 0, out.decode()
