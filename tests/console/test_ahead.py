"""What is due in the next hour, minute by minute."""

from datetime import timedelta

from cronstream.console.ahead import Ahead
from cronstream.core.wire.control import Control
from cronstream.core.wire.enumerations import ControlAction
from cronstream.core.wire.runs import Job
from tests.builders import at


def a_job(name: str, schedule: str, **fields: object) -> Job:
    values = {"timezone": "UTC", "command": "true", **fields}
    return Job(name=name, cluster="cluster-a", schedule=schedule, **values)  # type: ignore[arg-type]


async def test_each_minute_has_how_many_are_due_and_some_of_their_names() -> None:
    pause = Control(action=ControlAction.PAUSE, cluster="cluster-a", by="me", at=at(0))
    jobs = [
        a_job("often", "@every 30s"),
        a_job("five", "*/5 * * * *"),
        a_job("off", "* * * * *", enabled=False),
        a_job("paused", "* * * * *", control=pause),
    ]
    ahead = Ahead()
    assert ahead.minutes(at(10)) == []
    await ahead.follow({job.name: job for job in jobs}, at(10))
    minutes = ahead.minutes(at(10))
    assert len(minutes) == 60
    assert [one["due"] for one in minutes[:5]] == [2, 2, 2, 2, 3]
    assert minutes[4] == {"minute": at(300), "due": 3, "jobs": ("often", "five")}
    assert ahead.next(at(10), 9) == [
        {"job": "often", "at": at(30)},
        {"job": "five", "at": at(300)},
    ]
    assert ahead.next(at(31), 1) == [{"job": "often", "at": at(60)}]


async def test_it_is_worked_out_anew_when_it_is_old_or_other_jobs_are_in_force() -> None:
    jobs, ahead = {"a": a_job("a", "* * * * *")}, Ahead()
    await ahead.follow(jobs, at(0))
    first = ahead.found
    await ahead.follow(dict(jobs), at(60))
    assert ahead.found is first
    await ahead.follow(jobs, at(0) + timedelta(minutes=6))
    assert ahead.found is not first
    await ahead.follow({}, at(0) + timedelta(minutes=6))
    assert sum(one["due"] for one in ahead.minutes(at(360))) == 0


async def test_a_job_whose_zone_is_not_known_here_keeps_no_other_from_being_seen() -> None:
    jobs = [a_job("often", "@every 30s"), a_job("newer", "* * * * *", timezone="Mars/Base")]
    ahead = Ahead()
    await ahead.follow({job.name: job for job in jobs}, at(10))
    assert [one["job"] for one in ahead.next(at(10), 9)] == ["often"]
