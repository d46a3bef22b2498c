"""Jobs that their discarded runs have paused are shown to be, and go on once they are resumed."""

from cronstream.console.halts import Halts
from cronstream.core.wire.entries import Withdrawal
from cronstream.core.wire.runs import Job
from tests.builders import NOON, at
from tests.cli.conftest import a_job
from tests.cli.fake_broker import FakeBroker, FakeReader
from tests.cli.test_paused import halt

JOBS: dict[str, Job] = {"backup": a_job(pause_after=1), "report": a_job("report")}


async def test_a_job_that_was_halted_is_found_until_it_is_lifted() -> None:
    broker, halts = FakeBroker("cluster-a"), Halts()
    await halts.look(FakeReader(broker), JOBS)
    assert halts.found == {}
    halt(broker)
    await halts.look(FakeReader(broker), JOBS)
    found = halts.found["backup"]
    assert (found["by"], found["until"], found["since"] is not None) == (
        "its discarded runs",
        None,
        True,
    )
    # The crontab may say nothing of it any more: it stands still all the same.
    await halts.look(FakeReader(broker), {"backup": a_job()})
    assert list(halts.found) == ["backup"]
    word = Withdrawal(job="backup", revision=2, effective_from=NOON, lifts=True)
    broker.log("backup", word, when=at(100))
    await halts.look(FakeReader(broker), JOBS)
    assert halts.found == {}
