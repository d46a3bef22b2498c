"""Whether each relative link in the documentation leads to a file, and to a heading in it."""

import re
from pathlib import Path

import pytest

_ROOT = Path(__file__).parent.parent
_PAGES = sorted(
    [*_ROOT.glob("*.md")]
    + [page for folder in ("docs", "examples", "ops") for page in (_ROOT / folder).rglob("*.md")]
)
_LINK = re.compile(r"\]\(\s*([^)\s]+)\s*\)")
_FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def _text(page: Path) -> str:
    return _FENCED.sub("", page.read_text())


def _anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.*)$", _text(page), re.MULTILINE)
    shown = [re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).strip() for heading in headings]
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in shown}


def _is_broken(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    return not target.exists() or (anchor != "" and anchor not in _anchors(target))


@pytest.mark.parametrize("page", _PAGES, ids=lambda page: str(page.relative_to(_ROOT)))
def test_every_relative_link_of_a_page_leads_somewhere(page: Path) -> None:
    links = [link for link in _LINK.findall(_text(page)) if "://" not in link]
    assert [link for link in links if _is_broken(page, link)] == []


def test_the_glossary_and_each_page_of_the_docs_can_be_reached_from_their_index() -> None:
    listed = set()
    for index in (_ROOT / "docs" / folder / "README.md" for folder in (".", "design", "runbooks")):
        links = (link.partition("#")[0] for link in _LINK.findall(_text(index)))
        listed |= {(index.parent / link).resolve() for link in links}
    pages = {page.resolve() for page in (_ROOT / "docs").rglob("*.md")}
    assert sorted(pages - listed - {_ROOT.resolve() / "docs" / "README.md"}) == []
