"""Each command has examples in its help, and each is a line that it takes."""

import shlex

import pytest
from click.testing import CliRunner

from cronstream.cli.examples import EXAMPLES
from cronstream.cli.main import main
from cronstream.cli.sections import SECTIONS

NAMES = [entry.name for entries in SECTIONS.values() for entry in entries]


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_examples_in_its_help(name: str) -> None:
    shown = CliRunner().invoke(main, [name, "--help"]).output

    assert "Examples:" in shown
    for line, _ in EXAMPLES[name]:
        assert f"    {line}" in shown


@pytest.mark.parametrize(
    ("name", "line"), [(name, line) for name, lines in EXAMPLES.items() for line, _ in lines]
)
def test_every_example_is_a_line_that_the_command_takes(name: str, line: str) -> None:
    # What comes before is another's command, and so is where it goes.
    words = shlex.split(line.rpartition(" | ")[2].partition(" > ")[0])
    assert words[:2] == ["cronstream", name]

    with main.make_context("cronstream", words[1:]) as root:
        found, command, rest = main.resolve_command(root, words[1:])
        assert command is not None
        with command.make_context(found, rest, parent=root):
            pass
