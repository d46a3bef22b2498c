"""All that is installed comes under a licence that somebody has looked at, and is listed."""

import re

from tests.deployment.licences import DOCS, of_jars, of_packages
from tests.deployment.test_requirements import locked

#: They ask for no more than to be named, or, as MPL-2.0 does, for changes to their own files.
ALLOWED = {
    "0BSD",
    "Apache-2.0",
    "BSD",
    "BSD 2-Clause License",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSD-derived (Repoze)",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "PSF-2.0",
    "Unlicense",
}
#: Of programs that developers run, and nothing of ours is built from.
ALLOWED_OF_TOOLS = {"codespell": "GPL-2.0-only"}


def _are_allowed(licence: str) -> bool:
    return set(re.split(r" (?:AND|OR) ", re.sub("[()]", "", licence))) <= (
        ALLOWED | {"BSD-derived Repoze"}
    )


def test_every_licence_is_one_that_is_allowed() -> None:
    found = {**of_packages("dev", "run", "java"), **of_jars()}
    assert len(found) > 100
    assert {
        name: licence
        for name, licence in found.items()
        if not _are_allowed(licence) and ALLOWED_OF_TOOLS.get(name) != licence
    } == {}


def test_what_is_only_for_tools_is_in_nothing_that_runs() -> None:
    assert not ALLOWED_OF_TOOLS.keys() & locked("run").keys()


def test_the_page_lists_what_is_installed() -> None:
    rows = re.findall(r"^\| (\S+) \| (.+) \|$", DOCS.read_text(), re.MULTILINE)
    listed = dict(rows)
    installed = {**of_packages("run"), **of_jars()}
    assert {name: listed.get(name) for name in installed} == installed, "make licences"
    assert listed.keys() - {"name"} <= locked("run").keys() | of_jars().keys()


def test_a_licence_that_nobody_has_looked_at_is_not_allowed() -> None:
    assert not _are_allowed("AGPL-3.0-only")
    assert not _are_allowed("MIT AND GPL-3.0-or-later")
    assert not _are_allowed("unknown")
    assert _are_allowed("MPL-2.0 AND (Apache-2.0 OR MIT)")
