"""The lines that an operator reads: all that matters, and nothing that hides it."""

import logging
import logging.config
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from cronstream.logs import OWN_END, JsonFormatter, PlainFormatter, logging_config
from cronstream.settings import Settings


def a_record(level: int = logging.INFO, message: str = "all is well") -> logging.LogRecord:
    record = logging.LogRecord("cronstream.worker", level, __file__, 1, message, None, None)
    record.created = 1_767_268_800.0
    return record


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Path]:
    """The file that everything is logged to, as a worker configures it."""
    path = tmp_path / "lines"
    config = logging_config(Settings(), "INFO", str(path))
    logging.config.dictConfig(config)
    yield path
    for name in ("", *config["loggers"]):
        logger = logging.getLogger(name)
        logger.setLevel(logging.NOTSET if name else logging.WARNING)
        for handler in logger.handlers[:]:
            if isinstance(handler, logging.FileHandler):
                handler.close()
                logger.removeHandler(handler)


def test_a_line_says_its_level_only_if_it_is_more_than_news() -> None:
    formatter = PlainFormatter()
    assert formatter.format(a_record()) == "2026-01-01T12:00:00Z all is well"
    assert formatter.format(a_record(logging.ERROR)) == "2026-01-01T12:00:00Z ERROR: all is well"


def test_a_json_line_has_what_was_raised_and_what_it_is_about() -> None:
    record = a_record(logging.ERROR)
    record.action = "quarantine"
    error = ValueError("no")
    record.exc_info = (ValueError, error, None)
    line = orjson.loads(JsonFormatter().format(record))
    assert line["at"] == "2026-01-01T12:00:00Z"
    assert (line["level"], line["action"]) == ("error", "quarantine")
    assert line["exception"].endswith("ValueError: no")


def test_after_its_own_decision_to_end_a_process_tells_no_more_of_faust(lines: Path) -> None:
    ours, fausts = logging.getLogger("cronstream.worker"), logging.getLogger("mode.services")
    fausts.error("a crash before")
    ours.error("the executor has died; this process ends", extra={"action": OWN_END})
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


def test_the_count_of_changed_files_is_no_news(lines: Path) -> None:
    logging.getLogger("watchfiles.main").info("1 change detected")
    assert lines.read_text() == ""


def test_the_life_of_services_is_no_news_whoever_s_they_are(lines: Path) -> None:
    for module in (
        "cronstream.fitted.to_faust.tables",
        "cronstream.fitted.to_faust.web",
        "faust.web.drivers",
    ):
        logging.getLogger(module).info("[^--BoundWeb]: Stopping...")
    assert lines.read_text() == ""
