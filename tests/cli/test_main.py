"""The group: what it knows without loading anything, and how errors leave it."""

import os
import resource
import subprocess
import sys

import click
import pytest
from click.testing import CliRunner

from cronstream.cli.main import main
from cronstream.cli.sections import SECTIONS

HEAVY = ("faust", "aiokafka", "pydantic", "rich", "ruamel", "cronstream.core.wire.runs")


def test_help_names_every_command_under_its_heading() -> None:
    result = CliRunner().invoke(main, ["--help"])
    assert result.exit_code == 0
    for heading, entries in SECTIONS.items():
        assert f"{heading}:" in result.stdout
        for entry in entries:
            assert entry.name in result.stdout
            assert entry.summary in result.stdout


def test_help_loads_none_of_the_heavy_libraries() -> None:
    script = (
        "import sys; from cronstream.cli.main import main\n"
        "try: main(['--help'])\n"
        f"finally: print([m for m in {HEAVY!r} if m in sys.modules], file=sys.stderr)"
    )
    before = _processor_s_of_children()
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=30
    )
    assert done.stderr.strip() == "[]"
    assert _processor_s_of_children() - before < 3, "generous; it takes 0.1 s"


def _processor_s_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


@pytest.mark.parametrize("name", ["runs", "show", "discarded", "replay", "run-now", "completion"])
def test_each_command_has_help_with_its_own_words(name: str) -> None:
    result = CliRunner().invoke(main, [name, "--help"])
    assert result.exit_code == 0
    assert f"main {name}" in result.stdout


def test_a_command_that_is_not_there_is_wrong_usage_with_the_nearest_name() -> None:
    result = CliRunner().invoke(main, ["discard"])
    assert result.exit_code == 2
    assert "Did you mean 'discarded'?" in result.stderr


def test_group_options_set_the_variables_that_settings_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("BROKER", "CRONTAB", "DATA_DIR"):
        monkeypatch.setenv(f"CRONSTREAM_{name}", "before")
    options = ["--broker", "kafka://b:1", "--crontab", "c.yaml", "--data-dir", "d"]
    result = CliRunner().invoke(main, [*options, "completion", "fish"])
    assert result.exit_code == 0
    assert os.environ["CRONSTREAM_BROKER"] == "kafka://b:1"
    assert os.environ["CRONSTREAM_CRONTAB"] == "c.yaml"
    assert os.environ["CRONSTREAM_DATA_DIR"] == "d"


def test_an_option_that_is_not_given_leaves_its_variable_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CRONSTREAM_BROKER", "before")
    CliRunner().invoke(main, ["completion", "fish"])
    assert os.environ["CRONSTREAM_BROKER"] == "before"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_asks_this_command(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])
    assert result.exit_code == 0
    assert "_CRONSTREAM_COMPLETE" in result.stdout


def test_completion_proposes_commands_without_loading_them() -> None:
    context = click.Context(main)
    proposed = {item.value for item in main.shell_complete(context, "r")}
    assert proposed == {"runs", "repair", "replay", "resume", "run-now"}


def test_version_is_printed() -> None:
    result = CliRunner().invoke(main, ["--version"])
    assert result.exit_code == 0
    assert result.stdout.startswith("cronstream ")
