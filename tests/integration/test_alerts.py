"""From a process that dies to the page that somebody gets, and back, with nothing made up."""

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from chaos.monitoring import Monitoring, Notice
from cronstream.broker.guard import Guard
from tests.integration.conftest import StartWorker
from tests.integration.truth import a_name
from tests.integration.watched import start_watched
from tests.prometheus.dashboard import expressions
from tests.prometheus.installed import installed
from tests.prometheus.rules import all_rules

pytestmark = pytest.mark.integration

#: Of what is waited for: two minutes without a worker are six seconds.
_FACTOR = 20
_WITHIN_S = 60.0
#: What shows only what is wrong, what takes longer to be, and what Kafka says by another program.
_MAY_BE_EMPTY = re.compile(r"> 0$|snapshot|kafka_|^ALERTS")


def _crontab(cluster: str) -> str:
    return f"""
version: 1
clusters: {{{cluster}: }}
jobs:
  - {{name: {cluster}-fine, cluster: {cluster}, schedule: "@every 2s", command: "true"}}
  - name: {cluster}-doomed
    cluster: {cluster}
    schedule: "@every 5s"
    command: exit 3
    max_attempts: 2
    backoff: {{first: 1s}}
"""


async def test_a_worker_that_is_killed_wakes_somebody_until_it_is_started_again(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    for name in ("prometheus", "prometheus-alertmanager"):
        installed(name)
    cluster = a_name("alerts")
    crontab = _crontab(cluster)
    with closing(Guard()) as guard:
        async with Monitoring(tmp_path / "monitoring", guard, _FACTOR).running() as monitoring:
            started = await asyncio.gather(
                start_watched(start_worker, crontab=crontab),
                start_watched(start_worker, "--cluster", cluster),
                start_watched(start_worker, "--cluster", cluster, "--retry"),
            )
            await asyncio.gather(*(one.becomes(200, within_s=90) for one in started))
            monitoring.watch(one.port for one in started)
            await monitoring.heard(lambda notice: notice.receiver == "watchdog", _WITHIN_S)
            await _all_is_worked_out(monitoring)
            assert _paged(monitoring.notices) == set()

            before = len(monitoring.notices)
            _, worker, _ = started
            await worker.worker.kill()
            page = await monitoring.heard(_of_no_worker(cluster, is_over=False), _WITHIN_S, before)

            assert (page.receiver, page.labels["severity"]) == ("page", "page")
            assert page.labels["role"] == "worker"
            assert page.annotations["summary"].startswith(f"Cluster {cluster} has no worker")
            assert page.annotations["runbook_url"] == "docs/runbooks/no-workers.md"
            assert _paged(monitoring.notices) == {"CronstreamNoWorkers"}

            variables = {"CRONSTREAM_WEB_PORT": str(worker.port)}
            await start_worker("--cluster", cluster, variables=variables)
            await monitoring.heard(_of_no_worker(cluster, is_over=True), _WITHIN_S, before)


def _of_no_worker(cluster: str, *, is_over: bool) -> Callable[[Notice], bool]:
    def is_it(notice: Notice) -> bool:
        is_of_it = notice.name == "CronstreamNoWorkers" and notice.labels["cluster"] == cluster
        return is_of_it and notice.is_over is is_over

    return is_it


def _paged(notices: list[Notice]) -> set[str]:
    return {notice.name for notice in notices if notice.receiver == "page"}


async def _all_is_worked_out(monitoring: Monitoring) -> None:
    """See that every rule and the whole dashboard are worked out, and that it shows something."""
    for rule in all_rules():
        await monitoring.ask(rule.expression)
    assert await monitoring.broken_rules() == []
    empty = list(expressions())
    end = time.monotonic() + _WITHIN_S
    while empty := [one for one in empty if not await monitoring.ask(one[1])]:
        wanted = [one for one in empty if not _MAY_BE_EMPTY.search(one[1])]
        if not wanted or time.monotonic() > end:
            break
        await asyncio.sleep(0.5)
    assert [one for one in empty if not _MAY_BE_EMPTY.search(one[1])] == []
