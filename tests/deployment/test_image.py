"""The image's parts, tried as processes: its entry point and its health check."""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from cronstream.cli.sections import SECTIONS
from cronstream.fitted.to_faust import commands
from cronstream.settings import child_environment

ROOT = Path(__file__).parents[2]
IMAGE = ROOT / "ops" / "image"
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMMANDS = [entry.name for entries in SECTIONS.values() for entry in entries]


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with a `faust` and a `cronstream` that say how they were called."""
    for name in ("faust", "cronstream"):
        (tmp_path / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (tmp_path / name).chmod(0o755)
    return tmp_path


def run(programs: Path, *arguments: str) -> str:
    answer = subprocess.run(
        [IMAGE / "entrypoint.sh", *arguments],
        env=child_environment(PATH=f"{programs}:/usr/bin:/bin"),
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    return answer.stdout.rstrip("\n")


@pytest.mark.parametrize(
    ("arguments", "called"),
    [
        ([], "faust --quiet -A cronstream worker"),
        (["worker", "--cluster", "a b"], "faust --quiet -A cronstream worker --cluster a b"),
        (["agents"], "faust --quiet -A cronstream agents"),
        (["cronstream", "runs"], "cronstream runs"),
        (["--version"], "cronstream --version"),
        (["/bin/echo", "-x"], "-x"),
    ],
)
def test_the_first_word_says_which_program_runs(
    programs: Path, arguments: list[str], called: str
) -> None:
    assert run(programs, *arguments) == called


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_found_by_its_name_alone(programs: Path, name: str) -> None:
    assert run(programs, name) == f"cronstream {name}"


def test_every_command_of_fausts_that_takes_a_role_is_known() -> None:
    script = (IMAGE / "entrypoint.sh").read_text()
    [names] = re.findall(r"^    (worker \|.*)\)$", script, re.MULTILINE)
    others = {command.__name__.replace("_", "-") for command in commands._OTHERS}

    assert set(names.split(" | ")) == {"worker", *others}


class _Page(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/health" else 404)
        self.end_headers()
        self.wfile.write(json.dumps({"reason": "no broker has answered"}).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        pass


@contextmanager
def a_process(status: int) -> Iterator[int]:
    """Serve `/health` with a status; yields the port."""
    page = type("Page", (_Page,), {"status": status})
    with HTTPServer(("127.0.0.1", 0), page) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1]
        server.shutdown()


def look(port: int) -> subprocess.CompletedProcess[str]:
    """Look as Docker does, in an environment whose proxy answers nothing."""
    environment = child_environment(
        CRONSTREAM_WEB_PORT=str(port),
        CRONSTREAM_WEB_BIND="0.0.0.0",
        http_proxy="http://127.0.0.1:1",
    )
    return subprocess.run(
        [sys.executable, IMAGE / "health.py"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_process_that_is_well_is_well() -> None:
    with a_process(200) as port:
        assert look(port).returncode == 0


def test_a_process_that_is_not_well_says_why() -> None:
    with a_process(503) as port:
        answer = look(port)

    assert answer.returncode == 1
    assert "no broker has answered" in answer.stderr


def test_a_process_that_does_not_answer_is_not_well() -> None:
    with a_process(200) as port:
        pass
    answer = look(port)

    assert answer.returncode == 1
    assert f"no answer at port {port}" in answer.stderr


def test_what_the_image_copies_is_let_through_to_it() -> None:
    copied = [
        name
        for line in re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)
        for name in line.split()
    ]
    let_through = {
        line.removeprefix("!").removesuffix("/**")
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }

    assert copied
    for name in copied:
        assert (ROOT / name).exists()
        assert {name, str(Path(name).parent)} & let_through


def test_its_check_asks_the_port_that_every_role_serves() -> None:
    [script] = re.findall(r'CMD \["python", "/opt/cronstream/image/(.*)"\]', DOCKERFILE)

    assert (IMAGE / script).is_file()
    assert "CRONSTREAM_WEB_PORT=6066" in DOCKERFILE
