"""The examples are crontabs that `cronstream check` has nothing to say about."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from cronstream.cli.main import main

FOLDER = Path("examples")
EXAMPLES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_has_no_problem_and_needs_no_advice(example: Path) -> None:
    result = CliRunner().invoke(main, ["check", "--advice", str(example)])

    assert result.exit_code == 0, result.output
    assert "no problems, 0 pieces of advice" in result.output


def test_each_example_is_told_of_on_their_page() -> None:
    page = (FOLDER / "README.md").read_text()

    assert len(EXAMPLES) == 6
    assert all(f"({example.name})" in page for example in EXAMPLES)
