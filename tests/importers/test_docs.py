"""What the pages about other programs show is what comes of it."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from cronstream.cli.main import main
from cronstream.core.crontab.parser import parse_crontab

DOCS = Path(__file__).parents[2] / "docs"


def blocks(page: str) -> list[tuple[str, str]]:
    text = (DOCS / page).read_text()
    return re.findall(r"^```(\w+)\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def run(*arguments: str) -> tuple[str, str]:
    result = CliRunner().invoke(main, ["import", *arguments])
    return result.stdout, result.stderr


def test_the_crontab_on_the_page_becomes_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (_, crontab), (_, made), (_, said) = blocks("from-cron.md")
    Path("mine").write_text(crontab)

    assert run("mine") == (made, said)


def test_the_manifest_on_the_page_becomes_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (_, manifest), (_, made) = blocks("from-kubernetes.md")
    Path("cronjobs.yaml").write_text(manifest)

    assert run("cronjobs.yaml", "--cluster", "shop")[0] == made


@pytest.mark.parametrize("page", ["from-cron.md", "from-kubernetes.md", "from-celery-beat.md"])
def test_each_crontab_on_a_page_is_a_good_one(page: str) -> None:
    crontabs = [text for language, text in blocks(page) if language == "yaml"]

    assert crontabs
    assert all(parse_crontab(text).jobs for text in crontabs)
