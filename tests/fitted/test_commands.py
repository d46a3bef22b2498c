"""``faust -A cronstream …`` as a person types it: real processes, without a broker."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cronstream.broker.ports import free_port
from cronstream.core.wire.entries import Claimed
from cronstream.core.wire.runs import Backoff, Run
from cronstream.settings import child_environment

CRONTAB = """\
version: 1
clusters: {paris: , tokyo: }
jobs: []
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the command is typed: a folder with a crontab."""
    (tmp_path / "crontab.yaml").write_text(CRONTAB)
    return tmp_path


def start(folder: Path, *words: str, **variables: str) -> subprocess.Popen[str]:
    variables = {
        "CRONSTREAM_BROKER": f"kafka://127.0.0.1:{free_port()}",
        "CRONSTREAM_CRONTAB": str(folder / "crontab.yaml"),
        "CRONSTREAM_DATA_DIR": str(folder / "data"),
    } | variables
    return subprocess.Popen(
        [sys.executable, "-m", "faust", "-A", "cronstream", *words],
        cwd=folder,
        env=child_environment(**variables),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def lines_up_to(text: str, process: "subprocess.Popen[str]") -> list[str]:
    """Return what a process says, up to and including the line with `text` in it."""
    lines: list[str] = []
    for line in process.stdout or ():
        lines.append(line)
        if text in line:
            break
    return lines


def answer(folder: Path, *words: str, **variables: str) -> tuple[int, str]:
    with start(folder, *words, **variables) as process:
        text, _ = process.communicate(timeout=60)
        return process.returncode, text


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["worker", "--cluster", "pariss"], "unknown cluster 'pariss'; known: paris, tokyo"),
        (["worker", "--cluster", "Paris"], "cluster name 'Paris' must be lower-case letters"),
        (["worker", "--retry"], "--retry needs --cluster"),
        (["tables", "--retry"], "--retry needs --cluster"),
        (["worker", "--legacy-group", "old"], "--legacy-group needs --legacy-topic"),
        (
            ["worker", "--cluster", "paris", "--legacy-topic", "old"],
            "--legacy-topic is for a scheduler",
        ),
    ],
)
def test_what_makes_no_role_is_wrong_usage(folder: Path, words: list[str], sentence: str) -> None:
    status, text = answer(folder, *words)
    assert status == 2
    assert sentence in " ".join(text.split())
    assert "Traceback" not in text


def test_a_broken_crontab_does_not_keep_a_worker_from_its_cluster(folder: Path) -> None:
    (folder / "crontab.yaml").write_text("clusters: [")
    status, text = answer(folder, "tables", "--cluster", "anywhere")
    assert (status, "ledgers" in text) == (0, True)


def test_a_setting_that_is_wrong_is_wrong_usage(folder: Path) -> None:
    status, text = answer(folder, "tables", "--cluster", "paris", CRONSTREAM_SLOTS="many")
    assert status == 2
    assert "CRONSTREAM_SLOTS" in text


def test_the_role_may_come_from_the_environment(folder: Path) -> None:
    status, text = answer(folder, "tables", CRONSTREAM_CLUSTER="tokyo", CRONSTREAM_RETRY="1")
    assert (status, "ledgers" in text, "cursors" in text) == (0, True, False)


def test_a_broker_that_is_not_there_is_one_line_whatever_port_the_pages_have(
    folder: Path,
) -> None:
    port = free_port()
    with start(folder, "worker", "--web-port", str(port)) as process:
        lines = lines_up_to("waiting for it", process)
        os.kill(process.pid, 15)
        process.communicate(timeout=60)
    assert re.search(rf"web +\| http://127.0.0.1:{port}", "".join(lines))
    assert [line for line in lines if not line.startswith(("+", "|"))] == [lines[-1]]
    assert "no Kafka at" in lines[-1]


@pytest.mark.parametrize(
    ("words", "level"),
    [
        (("worker", "-l", "crit"), "critical"),
        (("worker", "-l", "info"), "info"),
        (("-l", "debug", "worker"), "debug"),
    ],
)
def test_a_log_level_is_taken_wherever_it_is_typed_and_in_fausts_spelling(
    folder: Path, words: tuple[str, ...], level: str
) -> None:
    with start(folder, *words, "--without-web") as process:
        lines = lines_up_to("appdir", process)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1)  # It waits for the broker, and does not end by itself.
        os.kill(process.pid, 15)
        process.communicate(timeout=60)
    assert f"-stderr- ({level})" in "".join(lines)


def test_the_help_says_the_defaults_that_are_in_force(folder: Path) -> None:
    status, text = answer(folder, "worker", "--help")
    text = " ".join(text.split())
    assert status == 0
    assert "one that is free, from 6066 on" in text
    assert "(default: INFO)" in text
    assert not [faust for faust in ("default: 6066", "default: WARN", "0.0.0.0") if faust in text]


def test_a_web_port_that_is_in_use_is_one_line_and_status_2(folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        status, text = answer(folder, "worker", "--web-port", str(port))
    assert status == 2
    assert f"web port {port} cannot be taken at 127.0.0.1 (address already in use)" in text
    assert text.count("\n") == 1


def test_a_data_folder_that_cannot_be_had_is_one_line_before_anything_begins(folder: Path) -> None:
    (folder / "file").touch()
    status, text = answer(folder, "worker", CRONSTREAM_DATA_DIR=str(folder / "file" / "below"))
    assert status == 1
    assert re.search(r"data cannot be kept in \S+ \(not a directory\): name a folder", text)
    assert text.count("\n") == 1


@pytest.mark.parametrize(
    ("model", "record", "fields"),
    [
        ("cronstream.Run", Run, {"job": "*", "cause": "None", "attempts_left": "1"}),
        ("Claimed", Claimed, {"run": "*", "number": "*"}),
        ("cronstream.Backoff", Backoff, {"first_s": "15.0", "ceiling_s": "3600.0"}),
    ],
)
def test_every_field_of_a_model_is_shown_with_its_default(
    folder: Path, model: str, record: type, fields: dict[str, str]
) -> None:
    status, text = answer(folder, "--json", "model", model)
    assert status == 0, text
    rows = {row["field"]: row for row in json.loads(text)}
    assert list(rows) == list(record.__annotations__)
    assert {name: rows[name]["default"] for name in fields} == fields


def test_a_model_that_is_not_there_is_wrong_usage(folder: Path) -> None:
    status, text = answer(folder, "model", "Nope")
    assert status == 2
    assert "No model 'Nope'" in text
    assert "Traceback" not in text
