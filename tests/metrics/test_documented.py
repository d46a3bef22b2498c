"""Each family is named, typed and labelled as docs/metrics.md says, and none is missing there."""

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from cronstream.metrics.exposition import Metrics
from tests.metrics.built import families, of_console, of_scheduler, of_worker

DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"
#: Which tables of the page a role has.
ROLES: dict[str, Callable[[], Metrics]] = {"Every process": of_scheduler, "A worker": of_worker}
_ROW = re.compile(r"^\| `(cronstream_\w+)` \| (\w+) \| ([^|]*) \| ([^|]*) \|")
_UNITS = {"seconds": "s", "bytes": "bytes", "messages": "messages", "ratio": "ratio"}
#: What stands in place of a unit where the name says that it has none.
_NONE = ("", "0 or 1", "1")


def rows() -> dict[str, tuple[str, set[str], str]]:
    """Return type, labels and unit of each family that the page names."""
    matches = filter(None, map(_ROW.match, DOCS.read_text().splitlines()))
    return {
        name: (kind, set(re.findall(r"`(\w+)`", labels)), unit.strip())
        for name, kind, labels, unit in (match.groups() for match in matches)
    }


def built() -> dict[str, tuple[str, set[str]]]:
    found: dict[str, tuple[str, set[str]]] = {}
    for metrics in (of_scheduler(), of_worker(), of_console()):
        for name, family in families(metrics).items():
            assert family.samples, name
            labels = {
                label
                for sample in family.samples
                for label, text in sample.labels.items()
                if text and label != "le"
            }
            _, before = found.get(name, ("", set()))
            found[name] = family.type, labels | before
    return found


def test_the_page_names_each_family_with_its_type_and_its_labels() -> None:
    assert {name: (kind, labels) for name, (kind, labels, _) in rows().items()} == built()


@pytest.mark.parametrize("name", rows())
def test_a_name_says_the_unit_and_a_counter_ends_in_total(name: str) -> None:
    kind, _, unit = rows()[name]
    assert (kind == "counter") == name.endswith("_total")
    ends = {unit for word, unit in _UNITS.items() if re.search(rf"_{word}(_total)?$", name)}
    assert {unit} == ends if ends else unit in _NONE


def exposition(metrics: Metrics) -> str:
    from prometheus_client import generate_latest  # noqa: PLC0415

    return generate_latest(metrics).decode()


@pytest.mark.parametrize("metrics", [of_scheduler, of_worker, of_console])
def test_prometheus_own_linter_has_nothing_to_say(metrics: Callable[[], Metrics]) -> None:
    text = exposition(metrics())
    assert [*text_string_to_metric_families(text)]
    promtool = shutil.which("promtool")
    if promtool is None:
        return  # The integration test needs it; here the parser has been content.
    checked = subprocess.run(
        [promtool, "check", "metrics"], input=text, text=True, capture_output=True, check=False
    )
    assert (checked.returncode, checked.stdout, checked.stderr) == (0, "", "")
