"""A new version of Faust or aiokafka says what has to be looked at."""

from importlib.metadata import version
from pathlib import Path

import pytest

import cronstream
from tests.fitted.fits import FITS, MADE_FOR, Fit, digest

PACKAGE = Path(cronstream.__file__).parent
DOCS = PACKAGE.parent / "docs" / "fitted.md"
#: Modules that only use what the libraries document, or other modules of this room.
_NEEDS_NONE = {"to_aiokafka.mends", "to_faust.clusters_there"}


def modules() -> set[str]:
    """Return the fitted modules by their names below `cronstream.fitted`."""
    return {
        f"{path.parent.name}.{path.stem}"
        for path in (PACKAGE / "fitted").glob("*/*.py")
        if path.stem != "__init__"
    }


@pytest.mark.parametrize("fit", FITS, ids=lambda fit: f"{fit.library}.{fit.name}")
def test_what_is_built_on_is_as_it_was_when_it_was_looked_at(fit: Fit) -> None:
    found = digest(fit.library, fit.name)

    assert found == fit.digest, (
        f"{fit.library}.{fit.name} is not what cronstream/fitted/{fit.module.replace('.', '/')}.py "
        "was made for: compare the versions (docs/fitted.md), and note the new digest"
    )


def test_the_versions_that_are_tested_are_those_that_all_was_made_for() -> None:
    assert {name: version(name) for name in MADE_FOR} == MADE_FOR


def test_what_is_changed_or_gone_in_a_library_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, body in {"one": "return 1", "two": "return 2"}.items():
        text = f"class A:\n    def f(self):\n        {body}\n\n    def g(self):\n        pass\n"
        (tmp_path / f"a_library_{name}.py").write_text(text)

    assert digest("a_library_one", "A.f") != digest("a_library_two", "A.f")
    assert digest("a_library_one", "A.g") == digest("a_library_two", "A.g")
    assert digest("a_library_one", "A.h") == "is no more"


def test_each_fitted_module_says_what_it_builds_on_and_stands_in_the_index() -> None:
    assert {fit.module for fit in FITS} == modules() - _NEEDS_NONE
    index = DOCS.read_text()
    missing = [name for name in modules() if f"`{name.replace('.', '/')}.py`" not in index]
    assert missing == []


def test_the_index_names_the_versions() -> None:
    index = DOCS.read_text()
    assert all(f"{name} {made_for}" in index for name, made_for in MADE_FOR.items())


def test_nothing_private_to_a_library_is_used_outside_of_the_room() -> None:
    #: Python's own, both documented.
    allowed = {"logs.py", "health/watchdog.py"}
    suppressed = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if "noqa: SLF001" in path.read_text()
    }
    assert suppressed <= allowed
