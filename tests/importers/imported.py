"""What an importer makes of a text: the crontab as it is read back, and what was noted."""

from dataclasses import dataclass
from typing import Any

from cronstream.core.crontab.parser import Crontab, parse_crontab
from cronstream.core.crontab.problems import Problems
from cronstream.core.crontab.yaml_nodes import plain
from cronstream.core.crontab.yaml_tree import parse_yaml
from cronstream.core.wire.runs import Job
from cronstream.importers.found import Source
from cronstream.importers.reading import read
from cronstream.importers.writing import write


@dataclass(frozen=True, slots=True)
class Imported:
    text: str
    crontab: Crontab
    #: Each job as it stands in the text, with what stands under the defaults.
    said: dict[str, dict[str, Any]]
    notes: list[str]
    lost: list[str]

    @property
    def jobs(self) -> dict[str, Job]:
        return {job.name: job for job in self.crontab.jobs}

    @property
    def only(self) -> dict[str, Any]:
        [job] = self.said.values()
        return job


def imported(
    text: str,
    kind: str | None = None,
    *,
    zone: str | None = "UTC",
    name: str = "f",
    beside: dict[str, str] | None = None,
) -> Imported:
    """Import one file, and read what comes out as `cronstream check` does."""
    written = write(read(Source(name, text, beside or {}), kind, zone), cluster="c", sources=[name])
    root = parse_yaml(written.text, Problems())
    assert root is not None
    tree: Any = plain(root)
    defaults = tree["defaults"]
    return Imported(
        written.text,
        parse_crontab(written.text),
        {job["name"]: defaults | job for job in tree["jobs"] or ()},
        [str(note) for note in written.notes if not note.loses_job],
        [str(note) for note in written.notes if note.loses_job],
    )
