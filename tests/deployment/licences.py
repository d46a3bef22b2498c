"""Under which licences comes what is installed; ``python -m`` this module writes it to the docs.

Of a package that is what it says of itself; of a jar, what its POM says.
"""

import re
from importlib.metadata import PackageMetadata, PackageNotFoundError, metadata
from pathlib import Path

from cronstream.broker.pins import pins
from tests.deployment.test_requirements import locked

DOCS = Path("docs/licences.md")
_HEAD = """\
# Licences

cronstream itself is under the Apache License 2.0. It is distributed without what it needs: `pip`
installs that, and Kafka's jars come from Maven Central, for the embedded Kafka. `make licences`
writes this page by what is installed. A test fails when it is out of date, or when something, such
as a tool of developers, comes under a licence that `tests/deployment/test_licences.py` lacks.

"""
#: What a package says in other words, or only in a file that comes with it.
_KNOWN = {
    "Apache": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache 2": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "3-Clause BSD License": "BSD-3-Clause",
    "BSD License": "BSD",
    "BSD 3-Clause": "BSD-3-Clause",
    "BSD 3-Clause License": "BSD-3-Clause",
    "BSD-derived (http://www.repoze.org/LICENSE.txt)": "BSD-derived (Repoze)",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "The MIT License (MIT)": "MIT",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "PSFL": "PSF-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
}
#: Packages that say it only in a file of theirs; axe-core is a part of the first.
_BY_FILE = {"axe-playwright-python": "MIT AND MPL-2.0"}
#: Jars that are not under the Apache License 2.0, by the beginning of their names.
_JARS = {
    "HdrHistogram": "CC0-1.0 OR BSD-2-Clause",
    "argparse4j": "MIT",
    "jopt-simple": "MIT",
    "pcollections": "MIT",
    "re2j": "BSD-3-Clause",
    "slf4j-api": "MIT",
    "zstd-jni": "BSD-2-Clause",
}


def of_packages(*files: str) -> dict[str, str]:
    """Return the licence of each package that some lock files name, if it is installed here."""
    names = sorted({name for file in files for name in locked(file)})
    found = {}
    for name in names:
        try:
            found[name] = _BY_FILE.get(name) or _licence(metadata(name))
        except PackageNotFoundError:
            continue  # It is for another system.
    return found


def _licence(about: PackageMetadata) -> str:
    classes = [
        line.rpartition(" :: ")[2]
        for line in about.get_all("Classifier") or []
        if line.startswith("License ::") and line != "License :: OSI Approved"
    ]
    said = "".join(about.get_all("License-Expression") or [])
    text = "".join(about.get_all("License") or [])
    if not said and len(text) < 60 and text.upper() not in ("", "UNKNOWN"):
        said = text
    return _KNOWN.get(said, said) or " AND ".join(_KNOWN.get(c, c) for c in classes) or "unknown"


def of_jars() -> dict[str, str]:
    """Return the licence of each jar of the embedded Kafka."""
    names = [re.sub(r"-[0-9][^-]*(-[0-9]+)?\.jar$", "", jar) for jar in pins()]
    return {name: _JARS.get(name, "Apache-2.0") for name in sorted(names, key=str.lower)}


def page() -> str:
    """Return what the page says."""
    tables = {"Python packages": of_packages("run"), "Kafka's jars": of_jars()}
    parts = []
    for title, found in tables.items():
        rows = [f"| {name} | {licence} |" for name, licence in found.items()]
        parts.append("\n".join([f"## {title}", "", "| name | licence |", "|---|---|", *rows]))
    return _HEAD + "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    DOCS.write_text(page())
