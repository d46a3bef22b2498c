"""What the docs say of commands is what there is: each one that they show is tried.

Every command is held against the real command line. Those that need no Kafka are run; those that
do are run in ``tests/integration/test_docs.py``.
"""

import importlib.util
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from cronstream import __version__
from cronstream.cli.main import main
from cronstream.cli.sections import SECTIONS
from cronstream.fitted.to_faust import commands
from cronstream.settings import Settings, settings
from tests.cli.shown import PAGES, ROOT, Shown, shown_commands

DOCS = (ROOT / "docs" / "commands.md").read_text()
NAMES = [entry.name for entries in SECTIONS.values() for entry in entries]
SHOWN = shown_commands()
#: They read the crontab only, so that they are run as they are shown.
NEED_NO_KAFKA = ("init", "check", "jobs", "next", "completion")
#: What stands for something that a reader has to put in.
EXAMPLES = {
    "N": "3",
    "TIME": "2026-01-01T00:00Z",
    "HOST:PORT": "192.0.2.7:9092",
    "COMMAND": "jobs",
    "NAME": "cluster-a",
    "CLUSTER": "cluster-a",
    "JOB": "doomed",
    "kafka-1.example.org:9092": "192.0.2.7:9092",
}
#: What chooses a role, as the options do.
OF_A_ROLE = {"CRONSTREAM_CLUSTER", "CRONSTREAM_RETRY"}
#: What a command is told.
OF_A_COMMAND = {
    f"CRONSTREAM_{name}"
    for name in ("RUN_ID", "JOB", "CLUSTER", "ATTEMPT", "MAX_ATTEMPTS", "SCHEDULED_AT")
} | {f"CRONSTREAM_PREVIOUS_{name}" for name in ("RUN_ID", "JOB", "VERDICT", "ATTEMPT", "REASON")}
#: By which an executor knows its own.
OF_AN_EXECUTOR = {"CRONSTREAM_EXECUTION", "CRONSTREAM_EXECUTOR"}
FAUST = {"worker": commands.worker} | {
    command.__name__.replace("_", "-"): command for command in commands._OTHERS
}


@pytest.fixture(autouse=True)
def _in_a_folder_with_the_example(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "crontab.yaml").write_text((ROOT / "crontab.yaml").read_text())
    monkeypatch.delenv("CRONSTREAM_CRONTAB", raising=False)
    settings.cache_clear()


@pytest.mark.parametrize("name", NAMES)
def test_every_command_is_in_the_docs(name: str) -> None:
    assert f"**`cronstream {name}" in DOCS


@pytest.mark.parametrize("name", NAMES)
def test_every_command_has_help(name: str) -> None:
    answer = CliRunner().invoke(main, [name, "--help"])

    assert answer.exit_code == 0
    assert "Usage:" in answer.output


def test_the_docs_show_commands_of_each_program() -> None:
    """Otherwise nothing is tried, however wrong it is."""
    assert {"cronstream", "faust", "make", "docker", "systemctl"} <= {s.words[0] for s in SHOWN}
    assert len({shown.words for shown in SHOWN}) > 60


@pytest.mark.parametrize("shown", SHOWN, ids=str)
def test_what_the_docs_show_is_taken_by_the_program(shown: Shown) -> None:
    program, *words = [EXAMPLES.get(word, word) for word in shown.words]
    try:
        CHECKS[program](words)
    except click.exceptions.Exit:
        pass  # as --help and --version do
    except click.MissingParameter:
        if shown.is_whole:
            raise


@pytest.mark.parametrize(
    "shown",
    [
        s
        for s in SHOWN
        if s.is_whole
        and s.words[0] == "cronstream"
        and s.words[1] in NEED_NO_KAFKA
        and "--overdue" not in s.words
    ],
    ids=str,
)
def test_what_needs_no_kafka_runs_as_it_is_shown(shown: Shown, tmp_path: Path) -> None:
    if shown.words[1] == "init":
        (tmp_path / "crontab.yaml").unlink()

    answer = CliRunner().invoke(main, [EXAMPLES.get(word, word) for word in shown.words[1:]])

    assert answer.exit_code == 0, answer.output


@pytest.mark.parametrize("name", NAMES)
def test_every_option_that_the_docs_give_a_command_is_one_of_its(name: str) -> None:
    passage = re.split(r"\n## |\*\*`cronstream ", DOCS.partition(f"**`cronstream {name}")[2])[0]
    command = main.get_command(click.Context(main), name)
    assert command is not None
    owners = [
        command,
        main,
        *(command.commands.values() if isinstance(command, click.Group) else ()),
    ]
    options = {
        text for owner in owners for p in owner.params for text in (*p.opts, *p.secondary_opts)
    }

    assert set(re.findall(r"`(--[a-z-]+)", passage)) <= options


def test_every_variable_that_the_docs_name_is_one() -> None:
    ours = {
        str(field.validation_alias or f"CRONSTREAM_{name.upper()}")
        for name, field in Settings.model_fields.items()
    }
    named = {
        (page.name, variable)
        for page in PAGES
        for variable in re.findall(r"CRONSTREAM_[A-Z_]*[A-Z]\b(?!_)", page.read_text())
    }

    known = ours | OF_A_ROLE | OF_A_COMMAND | OF_AN_EXECUTOR
    assert {(page, variable) for page, variable in named if variable not in known} == set()


def test_every_link_between_the_pages_leads_somewhere() -> None:
    lost = [
        f"{page.name}: {link}"
        for page in PAGES
        for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", page.read_text())
        if not _leads_somewhere(page, *link.partition("#")[::2])
    ]

    assert lost == []


def test_what_the_page_on_troubles_quotes_is_what_is_said() -> None:
    text = (ROOT / "docs" / "troubleshooting.md").read_text()
    said = " ".join(path.read_text() for path in (ROOT / "cronstream").rglob("*.py"))
    said = re.sub(r'"\s*f?"', "", said)  # a sentence that goes on in the next line
    seen = [line.split("|")[1] for line in text.splitlines() if line.startswith("| ")]
    quoted = [span for cell in seen for span in re.findall(r"`([^`]*[a-z] [a-z][^`]*)`", cell)]
    parts = [part.strip() for span in quoted for part in re.split(r"…|[\d.:]+\d", span)]

    assert len(quoted) > 15
    assert [part for part in parts if part not in said] == []


def _leads_somewhere(page: Path, target: str, anchor: str) -> bool:
    """Whether there is the file, and in it the heading, as GitHub makes anchors of these."""
    file = page.parent / target if target else page
    if not anchor or not file.is_file():
        return file.exists()
    headings = re.findall(r"^#+ (.*)$", file.read_text(), re.MULTILINE)
    return anchor in {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


def _cronstream(words: Sequence[str]) -> None:
    """Raise what a person would be told, if the command line does not take the words."""
    group = main.make_context("cronstream", list(words))
    rest = [*group._protected_args, *group.args]
    if rest:
        name, command, rest = main.resolve_command(group, rest)
        assert command is not None
        command.make_context(name, rest, parent=group)


def _faust(words: Sequence[str]) -> None:
    assert "cronstream" in words, "it needs -A cronstream"
    rest = [word for word in words if word not in ("--quiet", "-A", "cronstream")]
    FAUST[rest[0]]._click.make_context(rest[0], rest[1:])


def _make(words: Sequence[str]) -> None:
    makefile = (ROOT / "Makefile").read_text()
    for word in words:
        assert re.search(rf"^{word}:", makefile, re.MULTILINE), f"there is no target {word}"


def _docker(words: Sequence[str]) -> None:
    """Check the service or the image, and what it is given, as the entry point reads it."""
    compose: dict[str, Any] = YAML(typ="safe").load(ROOT / "docker-compose.yml")
    if words[:2] == ["compose", "exec"]:
        [service] = [word for word in words if word in compose["services"]]
        given = words[words.index(service) + 1 :]
    elif "cronstream:latest" in words:
        given = words[words.index("cronstream:latest") + 1 :]
    else:
        assert words[:2] in (["compose", "up"], ["compose", "logs"]) or words[0] in (
            "build",
            "run",
            "inspect",
        )
        return
    if given and given[0] in FAUST:
        _faust(["-A", "cronstream", *given])
    elif given and given[0] in ("cronstream", *NAMES):
        _cronstream(given[1:] if given[0] == "cronstream" else given)


def _systemctl(words: Sequence[str]) -> None:
    for word in words:
        if word.startswith("cronstream"):
            unit = re.sub(r"@.*", "@", word) + ".service"
            assert (ROOT / "ops" / "systemd" / unit).is_file(), f"there is no unit {unit}"


def _pip(words: Sequence[str]) -> None:
    for word in words:
        if word.endswith(".whl") and "*" not in word:
            assert Path(word).name == f"cronstream-{__version__}-py3-none-any.whl"


def _python(words: Sequence[str]) -> None:
    if words[0] == "-m":
        assert importlib.util.find_spec(words[1]), f"there is no module {words[1]}"


CHECKS = {
    "cronstream": _cronstream,
    "faust": _faust,
    "make": _make,
    "docker": _docker,
    "systemctl": _systemctl,
    "pip": _pip,
    "python": _python,
    "python3": _python,
}
