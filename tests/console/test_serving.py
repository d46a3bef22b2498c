"""A console as a process: what it says, and where; there need be no Kafka for that."""

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from cronstream.broker.ports import free_port
from cronstream.running import RunningNote
from cronstream.settings import child_environment

#: As what a script runs aside: it does not hear Ctrl-C.
PROGRAM = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "from cronstream.cli.main import main; main()"
)


@contextmanager
def a_console(folder: Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """Run a console for a Kafka that is not there; it is killed at the end."""
    given = {
        "CRONSTREAM_BROKER": f"kafka://127.0.0.1:{free_port()}",
        "CRONSTREAM_DATA_DIR": str(folder),
        "CRONSTREAM_LOG_FORMAT": "json",
        **variables,
    }
    with subprocess.Popen(
        [sys.executable, "-u", "-c", PROGRAM, "console", "--port", "0"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment(**given),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(process: subprocess.Popen[str], action: str) -> dict[str, str]:
    """Return the first line of an action; every line before it has to be JSON."""
    assert process.stderr is not None
    for line in process.stderr:
        found: dict[str, str] = json.loads(line)
        if found.get("action") == action:
            return found
    raise AssertionError(f"it ended without {action}")


def test_its_lines_are_json_and_it_has_metrics_and_ends_though_a_browser_follows(
    tmp_path: Path,
) -> None:
    port = free_port()
    with a_console(tmp_path, CRONSTREAM_METRICS_BIND=f"127.0.0.1:{port}") as process:
        address = said(process, "console-ready")["message"].rpartition(" ")[2]
        assert "no Kafka answers" in said(process, "console-waits")["message"]
        for page in (f"{address}metrics", f"http://127.0.0.1:{port}/metrics"):
            text = urllib.request.urlopen(page, timeout=10).read().decode()
            assert "cronstream_console_current 0.0" in text
        health = urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10).read()
        assert json.loads(health)["is_current"] is False
        with closing(urllib.request.urlopen(f"{address}events", timeout=10)):
            process.send_signal(signal.SIGTERM)
            assert process.wait(20) == 0


@pytest.mark.parametrize("where", ["http://127.0.0.1:6060/", None])
def test_a_second_console_with_the_same_folder_says_where_the_first_is(
    tmp_path: Path, where: str | None
) -> None:
    folder = tmp_path / "console"
    folder.mkdir()
    with closing(RunningNote(folder)) as note, a_console(tmp_path) as process:
        if where is not None:
            note.write(where)
        _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert f"a console runs with {folder} already ({where or 'it begins'}): use that one" in told
