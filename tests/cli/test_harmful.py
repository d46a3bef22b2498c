"""What somebody has put on a topic, or a command has written, does nothing to who looks at it."""

import pytest

from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.runs import Discarded
from tests.builders import NAMES, a_run, at
from tests.cli.conftest import Command, a_job
from tests.cli.fake_broker import FakeBroker
from tests.cli.test_run_commands import SINCE, announce, make
from tests.harmful import HARMFUL
from tests.test_escaping import is_harmless

#: No message has half a character in it.
PUT = [text for text in HARMFUL if text.isprintable() or "\ud83d" not in text]


@pytest.mark.parametrize("harmful", PUT)
def test_no_command_shows_it_as_it_is(broker: FakeBroker, command: Command, harmful: str) -> None:
    text = harmful.replace("\0", "")
    job = f"job {text}"
    broker.create(NAMES.jobs, 1)
    announce(broker, job)
    broker.job(a_job(job, command=text, description=text, cwd=text, env={"A": text}), at(0))
    run = a_run(job=job, command=["echo", text], scheduled_at=at(60))
    make(broker, run, outcome=Outcome.FAILED, exit_status=3, head=text, tail=text, note=text)
    gone = Discarded(run=run, reason=text, discarded_at=at(70))
    broker.discard(gone)
    for arguments in (
        ("runs", *SINCE),
        ("runs", *SINCE, "--json"),
        ("runs", "--job", job, *SINCE),
        ("show", run.id),
        ("show", run.id, "--json"),
        ("show", text),
        ("discarded", "list"),
        ("discarded", "list", "--json"),
        ("audit", *SINCE),
        ("jobs", text),
    ):
        result = command(*arguments)
        assert is_harmless(result.stdout + result.stderr, keep="\n\t"), arguments
