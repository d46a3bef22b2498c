"""The lines that an operator reads: all that matters, and nothing that hides it."""

import ast
import logging
import logging.config
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from cronstream import logs
from cronstream.core.wire.enumerations import Outcome, Verdict
from cronstream.core.wire.naming import Role
from cronstream.json_lines import CRASHED, JsonFormatter
from cronstream.logs import (
    OUTPUT,
    OWN_END,
    Fields,
    PlainFormatter,
    fields,
    logging_config,
    read_line,
)
from cronstream.settings import Settings


def a_record(level: int = logging.INFO, message: str = "all is well") -> logging.LogRecord:
    record = logging.LogRecord("cronstream.worker", level, __file__, 1, message, None, None)
    record.created = 1_767_268_800.0
    return record


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """The file that everything is logged to, as a worker configures it."""
    path = tmp_path / "lines"
    logging.config.dictConfig(logging_config(Settings(), "INFO", str(path)))
    return path


def test_a_line_says_its_level_only_if_it_is_more_than_news() -> None:
    formatter = PlainFormatter()
    assert formatter.format(a_record()) == "2026-01-01T12:00:00Z all is well"
    assert formatter.format(a_record(logging.ERROR)) == "2026-01-01T12:00:00Z ERROR: all is well"


def test_a_json_line_has_what_was_raised_and_what_it_is_about() -> None:
    record = a_record(logging.ERROR)
    vars(record).update(fields("running", job="backup", attempt=2))
    error = ValueError("no")
    record.exc_info = (ValueError, error, None)
    line = read_line(JsonFormatter().format(record))
    assert line["time"] == "2026-01-01T12:00:00Z"
    assert (line["level"], line["message"]) == ("error", "all is well")
    assert (line["action"], line["job"], line["attempt"]) == ("running", "backup", 2)
    assert line["exception"].endswith("ValueError: no")
    assert not {"role", "cluster"} & line.keys()


def test_json_lines_say_which_process_they_are_of(lines: Path) -> None:
    settings = Settings(log_format="json")
    for role in (Role.of("a", retry=True), Role.of(None, retry=False)):
        logging.config.dictConfig(logging_config(settings, "INFO", str(lines), role))
        logging.getLogger("cronstream.worker").info("one", extra=fields("shard-taken", shard=3))
    first, second = map(read_line, lines.read_text().splitlines())
    assert (first["role"], first["cluster"], first["shard"]) == ("retry-worker", "a", 3)
    assert (second["role"], "cluster" in second) == ("scheduler", False)


@pytest.mark.parametrize("text", ["Traceback (most recent call last):", "3", "null", ""])
def test_a_line_that_is_no_object_has_its_text_alone(text: str) -> None:
    assert read_line(text) == {"message": text}


PACKAGE = Path(logs.__file__).parent
LEVELS = {f"logger.{name}" for name in ("info", "warning", "error", "exception", "critical", "log")}


def logged() -> Iterator[tuple[str, ast.Call]]:
    """Every call that writes a line above debug, and where it is."""
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in LEVELS:
                yield f"{path.relative_to(PACKAGE)}:{node.lineno}", node


def test_every_line_says_what_it_is_about() -> None:
    extras = {where: "extra" in {word.arg for word in call.keywords} for where, call in logged()}
    assert len(extras) > 80
    assert [where for where, is_there in extras.items() if not is_there] == []


def described() -> list[str]:
    """The first cell of each row of the page on logs."""
    text = (PACKAGE.parent / "docs" / "logs.md").read_text()
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return re.findall("`([a-z_-]+)`", " ".join(rows))


def test_every_action_is_described() -> None:
    text = "".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    used = set(re.findall(r"""(?:fields|_about)\(\s*"([a-z-]+)\"""", text)) | {
        OWN_END,
        OUTPUT,
        CRASHED,
    }
    assert len(used) > 50
    assert used - set(described()) == set()


def test_every_change_of_a_run_is_described_by_its_action() -> None:
    fold = "".join(path.read_text() for path in (PACKAGE / "core" / "ledger").glob("*.py"))
    said = set(re.findall(r"""book\.say\([^"]*"([a-z]+)\"""", fold))
    said |= set(re.findall(r"""self\.say\([^"]*"([a-z]+)\"""", fold))
    said |= {verdict.value for verdict in Verdict} | {Outcome.LOST, Outcome.INTERRUPTED}
    assert len(said) > 8
    assert said - set(described()) == set()


def test_every_field_and_every_outcome_is_described() -> None:
    assert Fields.__annotations__.keys() - set(described()) == set()
    text = (PACKAGE.parent / "docs" / "logs.md").read_text()
    assert [outcome for outcome in Outcome if f"`{outcome.value}`" not in text] == []


def test_after_its_own_decision_to_end_a_process_tells_no_more_of_faust(lines: Path) -> None:
    ours, fausts = logging.getLogger("cronstream.worker"), logging.getLogger("mode.services")
    fausts.error("a crash before")
    ours.error("the executor has died; this process ends", extra=fields(OWN_END))
    fausts.error("Crashed reason=%r", RuntimeError("Event loop is closed"))
    ours.info("claims are released")
    told = [line.partition(" ")[2] for line in lines.read_text().splitlines()]
    assert told == [
        "ERROR: a crash before",
        "ERROR: the executor has died; this process ends",
        "claims are released",
    ]


def test_a_broker_that_is_away_is_no_news_but_what_nobody_expected_is(lines: Path) -> None:
    fetcher = logging.getLogger("aiokafka.consumer.fetcher")
    fetcher.error("Failed fetch messages from 3: NodeNotReadyError")
    fetcher.error("Unexpected error in fetcher routine", exc_info=KeyError(3))
    driver = logging.getLogger("faust.transport.drivers.aiokafka")
    driver.error("Aiokafka has not sent fetch request for TP('log', 3) since start")
    told = lines.read_text()
    assert "Failed fetch" not in told
    assert "has not sent fetch request" not in told
    assert "ERROR: Unexpected error in fetcher routine\nKeyError: 3" in told


def test_the_life_of_services_is_no_news_whoever_s_they_are(lines: Path) -> None:
    for module in (
        "cronstream.fitted.to_faust.tables",
        "cronstream.fitted.to_faust.web",
        "faust.web.drivers",
    ):
        logging.getLogger(module).info("[^--BoundWeb]: Stopping...")
    assert lines.read_text() == ""


def test_a_person_who_looks_on_is_told_three_lines_of_a_run_at_most(tmp_path: Path) -> None:
    path = tmp_path / "brief"
    logging.config.dictConfig(logging_config(Settings(log_format="brief"), "INFO", str(path)))
    logger = logging.getLogger("cronstream.worker")
    steps = [("running", 1), ("finished", 1), ("running", 2), ("lost", 2), ("running", 3)]
    for action, attempt in (*steps, ("interrupted", 3), ("finished", 4), ("discarded", 4)):
        about = fields(action, run="backup@x", attempt=attempt)
        logger.info("%s %d", action, attempt, extra=about)
    logger.info("gone", extra=fields("withdrawn", run="backup@x", attempt=1))
    logger.info("something else", extra=fields("healthy"))
    told = [line.partition(" ")[2] for line in path.read_text().splitlines()]
    assert told == ["running 1", "finished 1", "discarded 4", "something else"]


def test_for_people_a_line_of_a_command_stands_behind_its_run(lines: Path) -> None:
    about = fields(OUTPUT, run="backup@x", job="backup", attempt=1)
    logging.getLogger("cronstream.output").info("%s", "50 %\x1b[2K", extra=about)
    assert lines.read_text().partition(" ")[2] == "run backup@x | 50 %\\x1b[2K\n"
