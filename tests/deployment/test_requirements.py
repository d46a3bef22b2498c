"""What `make` and the image install is locked, and is what pyproject.toml asks for."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT: dict[str, Any] = tomllib.loads(Path("pyproject.toml").read_text())
FOLDER = Path("requirements")
PINNED = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)")


def locked(name: str) -> dict[str, str]:
    """Return the version of each package of a file."""
    lines = (FOLDER / f"{name}.txt").read_text().splitlines()
    found = (PINNED.match(line) for line in lines)
    return {canonicalize_name(match[1]): match[2] for match in found if match}


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("run", PROJECT["project"]["dependencies"]),
        ("dev", [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["dev"]]),
        ("java", PROJECT["project"]["optional-dependencies"]["java"]),
        ("dev", PROJECT["project"]["optional-dependencies"]["otel"]),
        ("otel", PROJECT["project"]["optional-dependencies"]["otel"]),
    ],
)
def test_every_package_that_is_asked_for_is_locked_at_a_version_that_will_do(
    name: str, asked: list[str]
) -> None:
    versions = locked(name)

    for requirement in map(Requirement, asked):
        version = versions.get(canonicalize_name(requirement.name))
        assert version is not None, f"make lock: {requirement} is not in {name}.txt"
        assert requirement.specifier.contains(version, prereleases=True), (requirement, version)


def test_the_image_and_the_tests_have_the_same_versions() -> None:
    dev = locked("dev")

    for image in (locked("run"), locked("otel")):
        assert {name: dev.get(name) for name in image} == image


@pytest.mark.parametrize("name", ["run", "dev", "java", "otel", "supply"])
def test_each_package_has_hashes_and_none_names_the_place_it_came_from(name: str) -> None:
    text = (FOLDER / f"{name}.txt").read_text()

    assert "://" not in text
    for block in re.split(r"\n(?=[A-Za-z0-9])", text.strip()):
        assert not PINNED.match(block) or "--hash=sha256:" in block, block
