"""A run that its log got too late is sent again, judged by the log's clock."""

from datetime import datetime, timedelta

import pytest

from cronstream.core.ledger.state import STALE
from cronstream.core.wire.runs import Run
from cronstream.errors import BrokerError
from cronstream.topology.publish import Ack
from cronstream.topology.resending import TRIES, resend_until_accepted
from tests.builders import a_run, at

LATE = STALE + timedelta(seconds=1)


class Log:
    """Gets each run so much later than it was judged."""

    def __init__(self, *lateness: timedelta) -> None:
        self._lateness = list(lateness)
        self.judged: list[datetime | None] = []

    async def send(self, run: Run) -> Ack:
        self.judged.append(run.as_of)
        return Ack(0, len(self.judged), (run.as_of or at(0)) + self._lateness.pop(0))


async def sent(log: Log, run: Run) -> Ack:
    return await resend_until_accepted(run, log.send(run), log.send)


async def test_a_run_that_came_in_time_is_sent_once() -> None:
    log = Log(STALE)
    assert (await sent(log, a_run().derive(as_of=at(0)))).offset == 1
    assert log.judged == [at(0)]


async def test_a_run_that_came_late_is_sent_again_as_of_then() -> None:
    log = Log(LATE, timedelta(0))
    assert (await sent(log, a_run().derive(as_of=at(0)))).offset == 2
    assert log.judged == [at(0), at(0) + LATE]


async def test_a_run_that_is_judged_by_nobody_s_clock_is_never_late() -> None:
    log = Log(LATE)
    await sent(log, a_run().derive(as_of=None))
    assert log.judged == [None]


async def test_a_run_that_comes_late_each_time_is_given_up_and_not_sent_once_more() -> None:
    log = Log(*[LATE] * (TRIES + 1))
    with pytest.raises(BrokerError, match="took it too late each time; nothing was run"):
        await sent(log, a_run().derive(as_of=at(0)))
    assert len(log.judged) == TRIES
