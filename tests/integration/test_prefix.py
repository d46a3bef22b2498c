"""Two installations on one Kafka, with the same jobs and clusters: only their prefixes differ."""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import run_command
from tests.integration.conftest import StartedWorker, StartWorker
from tests.integration.hands import admin, until
from tests.integration.truth import Line, Truth, a_name

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

_PREFIXES = ("cronstream", "second")


async def test_installations_with_two_prefixes_share_a_kafka_and_nothing_else(
    broker: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster, truth = a_name("shared"), Truth(tmp_path)
    flaky = f"{truth.command}; test $CRONSTREAM_ATTEMPT -ge 2"
    crontab = f"""
version: 1
clusters: {{{cluster}: }}
defaults: {{max_attempts: 3, backoff: {{first: 0.2s, factor: 1, jitter: 0}}}}
jobs:
  - {{name: {cluster}-plain, cluster: {cluster}, schedule: "@every 2s", command: '{truth.command}'}}
  - {{name: {cluster}-flaky, cluster: {cluster}, schedule: "@every 4s", command: '{flaky}'}}
"""
    started = await asyncio.gather(
        *(_start(start_worker, prefix, cluster, crontab) for prefix in _PREFIXES)
    )
    await until(lambda: all(_made(truth, prefix, cluster) for prefix in _PREFIXES))
    await asyncio.gather(*(worker.stop() for all_of_it in started for worker in all_of_it))

    for prefix in _PREFIXES:
        made = Counter((line.run, line.attempt) for line in _of(truth, prefix))
        assert set(made.values()) == {1}
        summary = await _audit(broker, prefix, cluster)
        assert summary["verdicts"]["succeeded"] == len({run for run, _ in made})
    await _every_name_is_of_one_prefix(broker, cluster)
    await _an_export_goes_to_another_prefix(broker, tmp_path)


async def _start(
    start: StartWorker, prefix: str, cluster: str, crontab: str
) -> list[StartedWorker]:
    """Start a scheduler, a worker and a retry worker; the data folder is everybody's."""
    variables = {"CRONSTREAM_PREFIX": prefix, "WORKER": prefix}
    roles = ((), ("--cluster", cluster), ("--cluster", cluster, "--retry"))
    return await asyncio.gather(
        *(start(*role, crontab=crontab, variables=variables) for role in roles)
    )


def _of(truth: Truth, prefix: str) -> list[Line]:
    return [line for line in truth.lines() if line.worker == prefix]


def _made(truth: Truth, prefix: str, cluster: str) -> bool:
    """Whether there were runs of both jobs, and retries."""
    lines = _of(truth, prefix)
    plain = [line for line in lines if line.job == f"{cluster}-plain"]
    again = [line for line in lines if line.job == f"{cluster}-flaky" and line.attempt == 2]
    return len(plain) >= 5 and len(again) >= 3


async def _audit(broker: str, prefix: str, cluster: str) -> dict[str, Any]:
    variables = {"CRONSTREAM_PREFIX": prefix}
    status, out, err = await run_command(
        f"kafka://{broker}", "audit", "--json", "--cluster", cluster, variables=variables
    )
    assert status == 0, out + err
    summary: dict[str, Any] = json.loads(out.splitlines()[-1])
    return summary


async def _every_name_is_of_one_prefix(broker: str, cluster: str) -> None:
    """Each has all of its topics and groups; what the second has begins with its prefix."""
    async with admin(broker) as client:
        topics = set(await client.list_topics())
        groups = {name for name, _ in await client.list_consumer_groups()}
    for prefix in _PREFIXES:
        retry = f"{prefix}-{cluster}-retry"
        assert {f"{prefix}.{cluster}", f"{retry}-ledgers-changelog"} <= topics
        assert {f"{prefix}-scheduler", f"{prefix}-{cluster}", retry} <= groups
    ours = {name for name in topics | groups if cluster in name}
    assert {name.replace(".", "-").split("-")[0] for name in ours} == set(_PREFIXES)


async def _an_export_goes_to_another_prefix(broker: str, folder: Path) -> None:
    """From the second to a third, and from there once more: then it has all that it was given."""
    ways = (
        ("second", "move-out", "one"),
        ("third", "move-in", "one"),
        ("third", "move-out", "two"),
    )
    for prefix, command, file in ways:
        status, out, err = await run_command(
            f"kafka://{broker}",
            command,
            str(folder / file),
            variables={"CRONSTREAM_PREFIX": prefix},
        )
        assert status == 0, out + err
