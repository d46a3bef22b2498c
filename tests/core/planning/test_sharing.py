"""What two definitions both say is kept once."""

from cronstream.core.planning.sharing import share_values
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
    job, other = a_job(command="one", max_attempts=1), a_job(command="two", fence=True)
    before = job.derive()
    share_values(job, other)
    share_values(job, None)
    assert job == before
