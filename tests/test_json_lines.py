"""Every line of a process is JSON, from its first to its last, whoever writes it."""

import io
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from cronstream.broker.ports import free_port
from cronstream.json_lines import OPTION, JsonFormatter, JsonStderr, is_object

#: All that can go wrong in a process but what the interpreter writes in C.
_MISHAPS = """
import logging, sys, threading, warnings
from cronstream import json_lines
json_lines.keep_stderr(); json_lines.keep_stderr()
print("printed", file=sys.stderr)
print('{"is": "JSON already"}', file=sys.stderr)
print("two\\nlines, the second without an end", end="", file=sys.stderr)
print(", now with one", file=sys.stderr)
warnings.warn("worn out")
logging.warning("a name: %s", "\\udcff\\u2028")
logging.error("%d", "not a number")
thread = threading.Thread(target=lambda: 1 / 0)
thread.start(); thread.join()
class Careless:
    def __del__(self):
        raise OSError("thrown away")
Careless()
sys.stderr = sys.__stderr__
class Last:
    def __del__(self):
        sys.stderr.write("at the very end\\n")
last = Last()
def dive(depth):
    raise ValueError("first line\\nsecond line")
"""


def ran(*command: str, **variables: str) -> tuple[int, list[dict[str, Any]]]:
    """Run a process to its end; return its status and its lines, each of which is JSON."""
    environment = {**os.environ, "CRONSTREAM_LOG_FORMAT": "json", **variables}
    done = subprocess.run(
        [sys.executable, *command], env=environment, capture_output=True, timeout=60, check=False
    )
    assert done.stdout == b""
    return done.returncode, [read(line) for line in done.stderr.splitlines()]


def read(line: bytes) -> dict[str, Any]:
    assert is_object(line.decode()), line
    said: dict[str, Any] = orjson.loads(line)
    return said


def test_whatever_happens_in_a_process_each_of_its_lines_is_json() -> None:
    status, lines = ran("-W", "always", "-c", f"{_MISHAPS}\ndive(3)")
    messages = [line.get("message", "") for line in lines]
    assert status == 1
    assert "printed" in messages
    assert {"is": "JSON already"} in lines
    assert "lines, the second without an end, now with one" in messages
    assert any("UserWarning: worn out" in message for message in messages)
    assert any("a name: " in message for message in messages)
    assert "at the very end" in messages
    crashed = [line for line in lines if line.get("action") == "crashed"]
    thread, process = crashed
    assert thread["exception"].endswith("ZeroDivisionError: division by zero")
    assert (process["level"], process["logger"]) == ("critical", "stderr")
    assert process["message"] == "this process ends: ValueError: first line\nsecond line"
    assert process["exception"].startswith("Traceback (most recent call last):\n")
    ignored = [line for line in lines if "Careless" in line.get("message", "")]
    assert [line["exception"].splitlines()[-1] for line in ignored] == ["OSError: thrown away"]


def test_an_end_with_a_word_and_without_an_end_of_its_line_is_json() -> None:
    begin = "import sys; from cronstream import json_lines; json_lines.keep_stderr();"
    for end, said in (("sys.exit('so long')", "so long"), ("sys.stderr.write('cut')", "cut")):
        _, lines = ran("-c", begin + end)
        assert [line["message"] for line in lines] == [said]


@pytest.mark.parametrize(
    ("options", "variables", "word"),
    [
        (("--nonsense",), {}, "No such option"),
        (("--retry",), {}, "--retry needs --cluster"),
        ((), {"CRONSTREAM_SLOTS": "many"}, "CRONSTREAM_SLOTS"),
        (("--cluster", "a b"), {}, "a b"),
    ],
)
def test_a_start_that_is_refused_says_so_in_json(
    options: tuple[str, ...], variables: dict[str, str], word: str
) -> None:
    status, lines = ran("-m", "faust", "-A", "cronstream", "worker", *options, **variables)
    assert status
    assert any(word in line["message"] for line in lines)


@pytest.mark.parametrize("module", ["cronstream.executor", "cronstream.executor.guard"])
def test_what_a_worker_starts_says_in_json_what_it_dies_of(module: str) -> None:
    options = ["--socket=99", "--id=x", "--slots=98,98", "--taken=97,97", "--output-bytes=1"]
    starts = f"import sys; sys.stdin = 3; from runpy import run_module as run; run({module!r}, "
    code = f"{starts} run_name='__main__', alter_sys=True)"
    status, lines = ran("-c", code, OPTION, *options, "--pass-env=PATH")
    assert status == 1
    assert [line["action"] for line in lines] == ["crashed"]


@pytest.fixture
def started(tmp_path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A scheduler that finds no Kafka."""
    environment = {
        **os.environ,
        "CRONSTREAM_LOG_FORMAT": "json",
        "CRONSTREAM_BROKER": f"kafka://127.0.0.1:{free_port()}",
        "CRONSTREAM_DATA_DIR": str(tmp_path),
        "CRONSTREAM_WEB_PORT": "0",
    }
    with subprocess.Popen(
        [sys.executable, "-X", "dev", "-m", "faust", "-A", "cronstream", "worker"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=tmp_path,
    ) as process:
        yield process
        process.kill()


def test_a_process_that_waits_for_kafka_and_is_asked_to_stop_writes_json_all_its_life(
    started: "subprocess.Popen[bytes]",
) -> None:
    assert started.stdout is not None
    lines = []
    for line in started.stdout:
        lines.append(read(line))
        if lines[-1].get("action") == "waiting":
            started.send_signal(signal.SIGUSR1)  # mode shows its stacks then.
            started.send_signal(signal.SIGINT)
    assert [line["role"] for line in lines if line.get("action") == "waiting"] == ["scheduler"]
    assert started.wait(60) is not None


def a_record(**about: Any) -> logging.LogRecord:
    record = logging.LogRecord("cronstream", logging.INFO, "", 0, "all is well", None, None)
    vars(record)["fields"] = about
    return record


@pytest.mark.parametrize(
    ("value", "is_said_as"),
    [
        (Path("/a"), "/a"),
        (b"x", "b'x'"),
        (float("nan"), None),
        ("half \udcff", r"half \udcff"),
        (1 << 80, float(1 << 80)),
    ],
)
def test_a_field_of_any_kind_does_not_cost_the_line(value: Any, is_said_as: Any) -> None:
    line = JsonFormatter().format(a_record(field=value, other=None))
    said = orjson.loads(line)
    assert said["field"] == is_said_as
    assert said["other"] is None
    assert json.loads(line).keys() == said.keys()


def test_beside_half_a_character_a_number_that_is_none_does_not_cost_the_line() -> None:
    said = orjson.loads(JsonFormatter().format(a_record(name="\udcff", share=float("inf"))))
    assert said["share"] == "inf"


def test_what_stands_for_stderr_can_be_asked_what_programs_ask_of_it(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w+") as raw:
        stream = JsonStderr(raw)
        assert (stream.writable(), stream.isatty()) == (True, False)
        assert stream.fileno() == raw.fileno()
    assert not is_object("{not JSON")
    assert not is_object("[1]")


def test_a_line_that_has_nothing_in_it_is_no_line() -> None:
    raw = io.StringIO()
    stream = JsonStderr(raw)
    stream.write("\n  \n")
    stream.end()
    assert raw.getvalue() == ""
