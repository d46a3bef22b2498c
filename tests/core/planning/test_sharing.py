"""What two definitions both say is kept once."""

import sys

from cronstream.core.planning.sharing import SharedValues, share_values
from cronstream.core.wire.codec import decode, encode
from cronstream.core.wire.runs import Job
from tests.core.planning.test_due import a_job, at


def test_a_job_holds_the_very_values_of_one_that_says_the_same() -> None:
    crontab = a_job(env={"A": "some text"}, command="a command", effective_from=None)
    job = decode(encode(crontab.derive(effective_from=at(5))), Job)
    before = job.derive()
    share_values(job, crontab)
    assert job.env is crontab.env
    assert job.command is crontab.command
    assert job == before


def test_what_is_not_the_same_stays_as_it_is() -> None:
    job = decode(encode(a_job(command="one", max_attempts=1)), Job)
    other = a_job(command="two", fence=True)
    before = job.derive()
    share_values(job, other)
    share_values(job, None)
    assert job == before


def test_variables_and_times_that_many_jobs_have_in_common_are_kept_once() -> None:
    shared = SharedValues()
    jobs = [
        decode(encode(a_job(f"job-{n}", env={"TZ": zone}, effective_from=at(5))), Job)
        for n, zone in enumerate(("UTC", "UTC", "Asia/Tokyo"))
    ]
    before = [job.derive() for job in jobs]
    for job in jobs:
        shared.keep_once(job)
    assert jobs[0].env is jobs[1].env
    assert jobs[0].effective_from is jobs[2].effective_from
    assert jobs == before
    shared.keep_once(a_job())


def test_so_many_values_are_not_remembered_for_ever() -> None:
    shared = SharedValues()
    for n in range(1500):
        shared.keep_once(a_job(env={"NUMBER": str(n)}))
    first, again = a_job(env={"NUMBER": "0"}), a_job(env={"NUMBER": "1499"})
    shared.keep_once(first)
    shared.keep_once(again)
    assert first.env == {"NUMBER": "0"}
    assert again.env == {"NUMBER": "1499"}


def test_a_job_that_holds_from_no_time_known_yet_keeps_none() -> None:
    job = a_job(effective_from=None)
    SharedValues().keep_once(job)

    assert job.effective_from is None


def test_lengths_of_time_that_many_jobs_have_are_kept_once() -> None:
    messages = (encode(a_job(f"job-{n}", timeout_s=90.5, missed_grace_s=60.0)) for n in range(2))
    one, other = (decode(message, Job) for message in messages)
    assert one.timeout_s is other.timeout_s
    assert one.missed_grace_s is other.missed_grace_s
    assert (one.timeout_s, one.missed_grace_s) == (90.5, 60.0)


def test_jobs_have_one_table_of_the_names_of_their_fields() -> None:
    jobs = [a_job(f"job-{n}", env={"A": "b"}, timeout_s=5.0).derive(line=n) for n in range(1000)]
    own = sum(sys.getsizeof(vars(job)) for job in jobs)
    assert own < sum(sys.getsizeof(dict(vars(job))) for job in jobs)
