"""Several runs of a job at a time, and a shell of its own, on a real Kafka."""

from pathlib import Path

import pytest

from tests.integration.command import run_command
from tests.integration.conftest import StartWorker
from tests.integration.test_overlap import IMPATIENT, Witness
from tests.integration.truth import a_name

pytestmark = pytest.mark.integration


async def test_as_many_runs_are_under_way_as_max_running_says_in_the_shell_that_a_job_names(
    broker: str, start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster, witness = a_name("several"), Witness(tmp_path)
    crontab = f"""
version: 1
clusters: {{{cluster}: }}
defaults: {{cluster: {cluster}, shell: /bin/bash -euo pipefail -c, cwd: {tmp_path}}}
jobs:
  - {{name: {cluster}-two, schedule: "@every 1s", overlap: skip, max_running: 2,
     command: "sh witness.sh 3.5 0 | cat"}}
  - {{name: {cluster}-pipe, schedule: "@every 2s", command: "false | true"}}
"""
    await start_worker(crontab=crontab)
    worker = await start_worker("--cluster", cluster, variables=IMPATIENT)
    stays = await witness.begun(f"{cluster}-two", 7)
    await worker.said("discarded (attempt 1 failed (exit status 1)")

    beside = [sum(o.begin <= stay.begin < o.end for o in stays) for stay in stays]
    assert max(beside) == 2, beside
    status, out, _ = await run_command(broker, "audit", "--cluster", cluster, "--since", "5m")
    assert status == 0, out
