"""What the docs say of the commands is what there is."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from cronstream.cli.main import SECTIONS, main

DOCS = (Path(__file__).parents[2] / "docs" / "commands.md").read_text()
NAMES = [entry.name for entries in SECTIONS.values() for entry in entries]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_in_the_docs(name: str) -> None:
    assert f"**`cronstream {name}" in DOCS


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help(name: str) -> None:
    answer = CliRunner().invoke(main, [name, "--help"])

    assert answer.exit_code == 0
    assert "Usage:" in answer.output
