"""The jobs in force that people look at, and what of the ``jobs`` topic cannot be read."""

import pytest

from cronstream.core.wire.runs import Job
from cronstream.scheduler import JobsView
from tests.scheduler.fakes import Bench, a_job


async def _view(*jobs: Job) -> JobsView:
    bench = Bench()
    await bench.scheduler.start()
    bench.scheduler.assigned({0})
    bench.define(*jobs)
    await bench.tick()
    return JobsView(bench.scheduler.firing.held)


async def test_a_job_is_a_readable_row_without_its_environment() -> None:
    view = await _view(a_job("other"), a_job(env={"TOKEN": "secret"}))

    row = view["backup"]

    assert (row["cluster"], row["schedule"], row["revision"]) == ("a", "@every 10s", 1)
    assert row["effective_from"] == "2026-01-01T12:00:00Z"
    assert "secret" not in str(row)


async def test_the_last_definition_of_each_job_is_shown() -> None:
    view = await _view(a_job(command="old"), a_job("other"), a_job(command="new"))

    assert view["backup"]["command"] == "new"
    assert (sorted(view), len(view), "other" in view) == (["backup", "other"], 2, True)


async def test_a_removed_job_is_not_shown() -> None:
    view = await _view(a_job(), a_job(removed=True))

    assert (list(view), len(view), view.get("backup"), "backup" in view) == ([], 0, None, False)
    with pytest.raises(KeyError):
        view["nobody"]
