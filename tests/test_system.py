"""Which systems can do what: elsewhere than on Linux, a sentence at once, and what works works."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from cronstream.cli.main import main
from cronstream.cli.sections import SECTIONS
from cronstream.errors import PlatformError
from cronstream.settings import child_environment
from cronstream.system import need_linux

NEED_LINUX = {"up", "broker"}
ENTRIES = [entry for entries in SECTIONS.values() for entry in entries]

#: Python's modules that other systems lack are gone, and then it is another system.
ELSEWHERE = """
import asyncio, multiprocessing, subprocess, sys, tempfile, urllib.request
import aiohttp, aiokafka.admin, faust.cli.faust, psutil
for name in ("fcntl", "termios", "resource", "pwd", "grp"):
    sys.modules[name] = None
sys.platform = "win32"
"""


def test_memory_that_nothing_uses_is_given_back() -> None:
    code = (
        "import psutil; from cronstream.system import give_memory_back\n"
        "kept = [bytes(2000) for _ in range(50_000)]; last = bytes(2000); del kept\n"
        "rss = psutil.Process().memory_info; before = rss().rss; give_memory_back()\n"
        "print(before - rss().rss)"
    )
    environment = {**child_environment(), "MALLOC_TRIM_THRESHOLD_": "1000000000"}
    words = [sys.executable, "-c", code]
    done = subprocess.run(words, env=environment, capture_output=True, check=True)
    assert int(done.stdout) > 50_000_000


@pytest.mark.parametrize(("system", "name"), [("darwin", "macOS"), ("win32", "Windows")])
def test_another_system_is_named_and_told_what_to_do_and_what_works(
    monkeypatch: pytest.MonkeyPatch, system: str, name: str
) -> None:
    monkeypatch.setattr(sys, "platform", system)

    with pytest.raises(PlatformError, match=f"here is {name}: run it in a container.*check"):
        need_linux()


@pytest.mark.parametrize("name", sorted(NEED_LINUX))
def test_a_command_that_starts_jobs_says_so_in_one_line_before_anything_else(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")

    result = CliRunner().invoke(main, [name])

    assert result.exit_code == 1
    assert result.stderr.startswith("cronstream: this needs Linux, and here is macOS")
    assert result.stderr.count("\n") == 1


def elsewhere(program: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", ELSEWHERE + program, *arguments],
        env=child_environment(**variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_application_says_so_in_one_line_before_it_is_imported() -> None:
    answer = elsewhere("from faust.cli.faust import cli; cli()", "-A", "cronstream", "worker")

    assert answer.returncode == 1
    assert answer.stderr.startswith("cronstream: this needs Linux")
    assert answer.stderr.count("\n") == 1


def test_every_other_command_works_there(tmp_path: Path) -> None:
    """The crontab's commands do; those about runs say, without a Kafka, what they say here."""
    places = {entry.place.partition(":")[0] for entry in ENTRIES if entry.name not in NEED_LINUX}
    answer = elsewhere(
        "import importlib\n"
        f"for place in {places}: importlib.import_module(place)\n"
        "from cronstream.cli.main import main\n"
        f"main(['init', {str(tmp_path)!r}], standalone_mode=False)\n"
        f"main(['check', {str(tmp_path / 'crontab.yaml')!r}], standalone_mode=False)\n"
        "main(['runs'])",
        CRONSTREAM_BROKER="kafka://127.0.0.1:1",
    )

    assert answer.returncode == 1
    assert "5 jobs in 2 clusters, no problems" in answer.stderr
    assert answer.stderr.splitlines()[-1].startswith("cronstream: no Kafka answers")
    assert "Traceback" not in answer.stderr
