"""A job that turns against what runs it costs that attempt, and no other run."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.integration.command import run_command
from tests.integration.conftest import StartWorker
from tests.integration.truth import Truth, a_name

pytestmark = pytest.mark.integration

#: Root may do anything to anybody: it is left with what another user may do to itself.
_RIGHTS = ("sys_ptrace", "dac_override", "dac_read_search", "perfmon", "sys_admin", "sys_resource")
WITHOUT = f"exec setpriv --bounding-set=-{',-'.join(_RIGHTS)} --inh-caps=-all" + ' "$0" "$@"'
#: Opens whatever it can of its executor, and of the worker above that, takes what is in it and
#: writes something there.
PRY = """
for pid in $PPID $(sed -n "s/^PPid:.//p" /proc/$PPID/status); do
  cat /proc/$pid/environ && echo opened environ of $pid
  for fd in $(seq 3 60); do
    timeout 0.2 dd if=/proc/$pid/fd/$fd iflag=nonblock of=/dev/null && echo opened $fd of $pid
    timeout 0.2 sh -c "echo garbage > /proc/$pid/fd/$fd" && echo wrote $fd of $pid
  done
done 2>/dev/null | tr "\\0" "\\n" >> {seen}
echo pried >> {seen}
"""


async def test_no_job_that_turns_against_its_executor_harms_another(
    start_worker: StartWorker, broker: str, tmp_path: Path
) -> None:
    cluster, truth, seen = a_name("hostile"), Truth(tmp_path), tmp_path / "seen"
    script = tmp_path / "pry"
    script.write_text(PRY.format(seen=seen))
    crontab = f"""
version: 1
clusters: {{{cluster}: }}
defaults: {{cluster: {cluster}, timeout: 30s}}
jobs:
  - {{name: {cluster}-fine, schedule: "@every 1s", command: '{truth.command}'}}
  - {{name: {cluster}-pries, schedule: "@every 10s", command: [/bin/sh, {script}]}}
  - {{name: {cluster}-yes, schedule: "@every 3s", command: "yes & yes no >/dev/null & exit 0"}}
"""
    variables = {"CRONSTREAM_SLOTS": "4", "CRONSTREAM_EXECUTORS": "1", "CANARY": "of-the-worker"}
    through = WITHOUT if os.geteuid() == 0 else None
    worker, _ = await asyncio.gather(
        start_worker("--cluster", cluster, crontab=crontab, variables=variables, through=through),
        start_worker(),
    )
    await worker.said("succeeded (attempt 1; 2 processes in the background were ended)")
    async with asyncio.timeout(60):
        while not seen.exists():  # noqa: ASYNC110 - another process writes it
            await asyncio.sleep(0.05)
    lines = await truth.wait(len(truth.lines()) + 15, f"{cluster}-fine")

    assert seen.read_text().split() == ["pried"] * len(seen.read_text().split())
    assert len({line.run for line in lines}) == len(lines)
    assert not any("executor-died" in line or "has died" in line for line in worker.lines)
    status, out, err = await run_command(broker, "audit", "--cluster", cluster)
    assert status == 0, out + err
