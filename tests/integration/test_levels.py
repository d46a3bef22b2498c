"""Processes of different versions on one real Kafka: who is too old makes way, and says so."""

from pathlib import Path

import pytest

from cronstream.core.wire.levels import LEVEL
from tests.integration.conftest import StartWorker
from tests.integration.truth import Truth, a_name

pytestmark = pytest.mark.integration

#: An application that knows no level but the first; and one that does not look before it joins.
OLD = """\
from cronstream.core.wire import levels
levels.LEVEL = 1
from cronstream.application import app
"""
BLIND = (
    OLD
    + """\
from cronstream import application
from cronstream.topology.installation_level import Found
async def see_nothing(settings): return Found(1, None)
application.look_at_installation = see_nothing
"""
)


async def test_a_process_that_is_too_old_ends_and_one_that_is_not_makes_its_runs(
    start_worker: StartWorker, tmp_path: Path
) -> None:
    cluster, truth = a_name("level"), Truth(tmp_path)
    (tmp_path / "old.py").write_text(OLD)
    (tmp_path / "blind.py").write_text(BLIND)
    running = await start_worker("--cluster", cluster, app="blind")
    job = f"name: job-{cluster}, cluster: {cluster}, schedule: '@every 1s'"
    crontab = f"""
version: 1
clusters: {{{cluster}: }}
jobs: [{{{job}, command: '{truth.command}'}}]
"""

    await start_worker(crontab=crontab)
    raised = f"was raised to level {LEVEL} by cronstream"
    line = await running.said(raised)
    joining = await start_worker("--cluster", cluster, app="old", waits=False)
    await joining.said(raised)

    assert "offset" in line
    assert "this process knows only level 1: upgrade it" in line
    assert [await worker.child.wait() for worker in (running, joining)] == [1, 1]
    assert not any("owns " in line for line in joining.lines)
    await start_worker("--cluster", cluster, variables={"WORKER": "new"})
    made = await truth.wait(3)
    assert {line.attempt for line in made} == {1}
    assert {line.worker for line in made} == {"new"}
