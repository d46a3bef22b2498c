"""``logs`` over logs that a test has written."""

import pytest

from cronstream.cli.logs_command import Paper
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.live_output import Follow, decode
from cronstream.core.wire.runs import Discarded
from tests.builders import NAMES, a_run, at
from tests.cli.conftest import Command, json_lines
from tests.cli.fake_broker import FakeBroker
from tests.cli.test_run_commands import RUN, announce, make

OUTPUT = NAMES.output("cluster-a")


@pytest.fixture
def written(broker: FakeBroker) -> FakeBroker:
    """A run that has succeeded, and has written something."""
    announce(broker)
    make(broker, a_run(), head="first\n\x1b[2J", tail="last", omitted=5)
    return broker


def test_what_is_kept_of_a_run_is_printed_and_obeyed_by_no_terminal(
    written: FakeBroker, command: Command
) -> None:
    result = command("logs", RUN)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == "first\n\\x1b[2J\n… 5 bytes are left out here …\nlast\n"
    assert result.stderr == "attempt 1: succeeded (exit 0), by w1.1\n"
    assert written.published == []


def test_in_json_each_attempt_is_an_object(written: FakeBroker, command: Command) -> None:
    [fields] = json_lines(command("logs", RUN, "--json"))
    assert fields == {
        "run": RUN,
        "attempt": 1,
        "outcome": "succeeded",
        "output_head": "first\n\x1b[2J",
        "output_tail": "last",
        "output_omitted": 5,
    }
    assert written.published == []


def test_of_a_run_that_is_not_over_it_is_said_how_to_see_more(
    broker: FakeBroker, command: Command
) -> None:
    announce(broker)
    broker.log("backup", a_run(), when=at(0))
    result = command("logs", RUN)
    assert (result.exit_code, result.stdout) == (0, "")
    assert f"run {RUN} is queued" in result.stderr
    assert "--follow shows what it writes" in result.stderr


def test_a_run_that_there_is_not_is_one_clear_error(broker: FakeBroker, command: Command) -> None:
    announce(broker)
    make(broker, a_run(scheduled_at=at(60)))
    result = command("logs", RUN, "--follow")
    assert result.exit_code == 3
    assert result.stderr.startswith(f"cronstream: there is no run '{RUN}' on the ledgers since ")


def test_who_follows_a_run_that_is_over_is_shown_what_is_kept_and_its_verdict(
    written: FakeBroker, command: Command
) -> None:
    result = command("logs", RUN, "--follow")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.startswith("first\n")
    assert "attempt 1: succeeded (exit 0), by w1.1" in result.stderr
    assert result.stderr.splitlines()[-1].endswith("succeeded  took 2.0 s")
    assert f"topic {OUTPUT} is not there" in result.stderr
    assert written.published == []


def test_who_follows_what_was_discarded_is_told_by_the_status(
    broker: FakeBroker, command: Command
) -> None:
    announce(broker)
    run = a_run()
    make(broker, run, outcome=Outcome.FAILED, exit_status=3, head="oh no\n")
    broker.discard(Discarded(run=run, reason="1 of 1 failures", discarded_at=at(5)))
    result = command("logs", RUN, "--follow", "--json")
    assert result.exit_code == 1, result.stderr
    assert '"output_head": "oh no\\n"' in result.stdout
    assert '"state": "discarded"' in result.stdout.splitlines()[-1]


def test_who_may_not_follow_is_told_which_right_he_lacks(
    written: FakeBroker, command: Command
) -> None:
    written.refused.add(OUTPUT)
    result = command("logs", RUN, "--follow")
    assert result.exit_code == 0
    assert f"to Read and Write topic {OUTPUT}: grant it" in result.stderr
    assert "--role operator --cluster cluster-a" in result.stderr


def test_who_follows_says_so_on_the_topic_of_the_cluster(
    broker: FakeBroker, command: Command
) -> None:
    announce(broker)
    broker.log("backup", a_run(), when=at(0))
    broker.create(OUTPUT, 1)
    result = command("logs", RUN, "--follow")
    assert result.exit_code == 130, "in the end somebody presses Ctrl-C"
    [message, *_] = broker.topics[OUTPUT][0]
    said = decode(message.value)
    assert isinstance(said, Follow)
    assert said.run == RUN


def test_what_is_left_out_and_what_is_said_stand_on_lines_of_their_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    paper = Paper(as_json=False)
    paper.wrote(RUN, 1, "a\tpart", 7)
    paper.wrote(RUN, 1, "rest", 0)
    paper.say("over")
    shown = capsys.readouterr()
    assert shown.out == "a\tpart\n… 7 bytes are left out here …\nrest\n"
    assert shown.err == "over\n"
