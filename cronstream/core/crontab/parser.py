"""The text of a crontab to its jobs, or to every problem with its line and column.

The result is a value: what the jobs are, without any time. `cronstream.crontab_file` reads the
file, and `cronstream.crontab_watch` watches it; the format is described in ``docs/crontab.md``.
"""

from collections import abc
from dataclasses import dataclass, field
from typing import Any, Final

from cronstream.core.crontab.clusters import Cluster, ClusterReader
from cronstream.core.crontab.faults import Fault, faults_of, mend_keys, unknown_key
from cronstream.core.crontab.model import DefaultsModel, JobModel
from cronstream.core.crontab.pairs import DEFAULT_LEASE_S, pair_faults
from cronstream.core.crontab.problems import Problems
from cronstream.core.crontab.sizes import size_fault
from cronstream.core.crontab.yaml_nodes import (
    Mapping,
    Node,
    Plain,
    Scalar,
    Sequence,
    find_place,
    plain,
)
from cronstream.core.crontab.yaml_tree import parse_yaml
from cronstream.core.schedule.schedule import compile_schedule, find_zone
from cronstream.core.wire.enumerations import Background, Delivery, Overlap
from cronstream.core.wire.runs import Job
from cronstream.errors import CrontabError, Part, Place, ScheduleError

VERSION = 1
#: A crontab of 100,000 jobs has about as much.
MAX_BYTES = 16 * 1024 * 1024
#: What a job has to say itself.
_UNNAMED = {"name": "", "schedule": "", "command": ""}
_KEYS = ("version", "clusters", "defaults", "jobs")
#: What no two jobs have in common.
_OWN = tuple(name for name in JobModel.model_fields if name not in DefaultsModel.model_fields)
_TYPOGRAPHIC = "\u2018\u2019\u201a\u201c\u201d\u201e\u00ab\u00bb"


@dataclass(frozen=True, slots=True)
class Crontab:
    """All clusters and jobs of an installation, in the order of the file; all of it is valid.

    Attributes:
        default: What a job is like that says nothing of itself, without name, schedule and
            command; None if ``defaults`` name no cluster and there is not just one.
        places: Where in the text each job's name stands.
    """

    clusters: tuple[Cluster, ...]
    jobs: tuple[Job, ...]
    default: Job | None = None
    places: abc.Mapping[str, Place] = field(default_factory=dict, compare=False)


def parse_crontab(
    text: str, source: str = "<string>", *, lease_s: float = DEFAULT_LEASE_S
) -> Crontab:
    """Return what a crontab says.

    Args:
        text: YAML 1.2, one document.
        source: What errors call it: the file.
        lease_s: The workers' lease, for which a fenced job's grace has to be short enough.

    Raises:
        CrontabError: With every problem, each with line and column, in the order of the text.
    """
    problems = Problems()
    crontab = _Reader(problems, lease_s).read(text)
    if crontab is None or problems:
        raise CrontabError(source, problems.in_order())
    return crontab


class _Reader:
    """Reads one text, and goes on after a fault, so that all of them are found at once."""

    def __init__(self, problems: Problems, lease_s: float) -> None:
        self._problems, self._lease_s = problems, lease_s
        self._clusters = ClusterReader(problems, self._note)
        self._defaults: dict[str, Any] = {}
        self._has_good_defaults = True
        self._has_default_cluster = False
        #: What stands under the defaults, and belongs to each job.
        self._misplaced: set[str] = set()
        self._zone = "UTC"
        self._named: dict[str, Place] = {}

    def read(self, text: str) -> Crontab | None:
        """Return the crontab, or None once it is clear that there is none."""
        if len(text.encode(errors="replace")) > MAX_BYTES:
            self._problems.add(Place(1, 1), "the file is larger than 16 MiB; shorten it")
            return None
        root = parse_yaml(text, self._problems)
        if root is None or not isinstance(root, Mapping):
            self._explain_root(root)
            return None
        self._note(mend_keys(root, _KEYS), root, None)
        if not self._read_version(root):
            return None
        for key in root.items:
            if key not in _KEYS:
                self._problems.add(root.keys[key], unknown_key(key, _KEYS), key=key)
        self._clusters.read(root.items.get("clusters"), root.place)
        self._read_defaults(root)
        jobs = self._read_jobs(root)
        self._clusters.tell()
        clusters = tuple(self._clusters.found.values())
        return Crontab(clusters, tuple(jobs), self._default(), self._named)

    def _default(self) -> Job | None:
        only = next(iter(self._clusters.found)) if len(self._clusters.found) == 1 else None
        cluster = self._defaults.get("cluster") or only
        if cluster is None or self._problems:
            return None
        return _job(_UNNAMED | self._defaults | {"cluster": cluster})

    def _explain_root(self, root: Node | None) -> None:
        if self._problems:
            return
        if root is None or (isinstance(root, Scalar) and root.value is None):
            self._problems.add(Place(1, 1), "the crontab is empty; begin it with 'version: 1'")
        else:
            self._problems.add(
                root.place, "the crontab must be a mapping; begin it with 'version: 1'"
            )

    def _read_version(self, root: Mapping) -> bool:
        """Return whether the rest can be read: another version may mean anything by it."""
        node = root.items.get("version")
        if node is None:
            sentence = "'version' is missing; begin with 'version: 1'"
            self._problems.add(root.place, sentence, key="version")
            return True
        version = node.value if isinstance(node, Scalar) else None
        if type(version) is int and version == VERSION:
            return True
        sentence = f"version {plain(node)!r} is not supported; write 'version: 1'"
        self._problems.add(node.place, sentence, key="version")
        return type(version) is not int

    def _read_defaults(self, root: Mapping) -> None:
        node = root.items.get("defaults")
        if node is None or (isinstance(node, Scalar) and node.value is None):
            return
        part = Part("defaults")
        self._note(mend_keys(node, DefaultsModel.model_fields), node, part)
        self._move_out(node)
        values = plain(node)
        defaults, faults = faults_of(DefaultsModel, values)
        self._note(faults, node, part)
        self._has_good_defaults = defaults is not None
        if defaults is not None:
            self._defaults = self._settings(defaults, node, part)
            self._has_good_defaults = self._fits(_job(_UNNAMED | self._defaults), node, part)
        if not isinstance(values, dict):
            self._has_default_cluster = True  # It may well be there.
            return
        self._has_default_cluster = "cluster" in values
        self._clusters.check(values.get("cluster"), find_place(node, ("cluster",)), part)
        zone = find_place(node, ("timezone",))
        self._zone = self._check_zone(values.get("timezone"), zone, part)

    def _move_out(self, node: Node) -> None:
        """Take from the defaults what is a job's own: then no job is told that it lacks it."""
        for key in _OWN:
            if isinstance(node, Mapping) and key in node.items:
                sentence = f"{key!r} is each job's own; write it there"
                self._problems.add(node.keys.pop(key), sentence, Part("defaults"), key=key)
                del node.items[key]
                self._misplaced.add(key)

    def _read_jobs(self, root: Mapping) -> list[Job]:
        node = root.items.get("jobs")
        if node is None:
            sentence = "'jobs' is missing; add 'jobs: []' if there are none"
            self._problems.add(root.place, sentence, key="jobs")
            return []
        if isinstance(node, Scalar) and node.value is None:
            return []
        if not isinstance(node, Sequence):
            sentence = "'jobs' must be a list; begin each job with '- name: …'"
            self._problems.add(node.place, sentence, key="jobs")
            return []
        jobs = (self._read_job(item, index) for index, item in enumerate(node.items, start=1))
        return [job for job in jobs if job is not None]

    def _read_job(self, node: Node, number: int) -> Job | None:
        part = Part("job", number)
        mended = mend_keys(node, JobModel.model_fields)
        values = plain(node)
        name = values.get("name") if isinstance(values, dict) else None
        if isinstance(name, str):
            part = Part("job", name)
            self._note_name(name, find_place(node, ("name",)), part)
        model, faults = faults_of(JobModel, values)
        faults = [fault for fault in faults if fault.missing not in self._misplaced]
        self._note([*mended, *faults], node, part)
        if isinstance(values, dict):
            self._check_whole(values, node, part)
        if model is None:
            return None
        job = _job(self._settings(model, node, part))
        if self._has_good_defaults:
            self._fits(job, node, part)
        return None if self._problems else job

    def _settings(self, model: DefaultsModel, node: Node, part: Part) -> dict[str, Any]:
        """Return what holds for a job, or for all of them; note what does not go together."""
        said = {name: getattr(model, name) for name in model.model_fields_set}
        settings = self._defaults | said
        if self._has_good_defaults:
            self._note(list(pair_faults(settings, said, self._lease_s)), node, part)
        return settings

    def _fits(self, job: Job, node: Node, part: Part) -> bool:
        """Return whether a job fits in a message; note it if not."""
        fault = size_fault(job)
        if fault is not None:
            self._note([fault], node, part)
        return fault is None

    def _note_name(self, name: str, place: Place, part: Part) -> None:
        first = self._named.setdefault(name, place)
        if first is not place:
            sentence = f"the name appears twice, first on line {first.line}; rename one"
            self._problems.add(place, sentence, part, key="name")

    def _check_whole(self, values: dict[str, Plain], node: Node, part: Part) -> None:
        """Check what a job says only together with the rest of the file, if it says it in text."""
        if "cluster" in values:
            self._clusters.check(values["cluster"], find_place(node, ("cluster",)), part)
        elif not self._has_default_cluster:
            self._clusters.miss(node.place, part)
        zone = self._check_zone(values.get("timezone"), find_place(node, ("timezone",)), part)
        schedule = values.get("schedule")
        if isinstance(schedule, str):
            self._check_schedule(schedule, zone, find_place(node, ("schedule",)), part)

    def _check_schedule(self, schedule: str, zone: str, place: Place, part: Part) -> None:
        try:
            compile_schedule(schedule, zone)
        except ScheduleError as error:
            reason = str(error)
            if schedule.startswith(tuple(_TYPOGRAPHIC)):
                reason = f"{schedule[0]} is not a quote to YAML; write \" or '"
            sentence = f"schedule {schedule!r}: {reason}"
            self._problems.add(place, sentence, part, key="schedule")

    def _check_zone(self, name: Plain, place: Place, part: Part) -> str:
        """Return the zone to check a schedule in: this one, or the default if it is no zone."""
        if not isinstance(name, str):
            return self._zone
        try:
            find_zone(name)
        except ScheduleError as error:
            self._problems.add(place, str(error), part, key="timezone")
            return self._zone
        return name

    def _note(self, faults: list[Fault], node: Node, part: Part | None) -> None:
        for fault in faults:
            self._problems.add(fault.place_in(node), fault.sentence, part, key=fault.key)


#: Settings that are one of a few words.
_CHOICES: Final = {"background": Background, "delivery": Delivery, "overlap": Overlap}


def _job(settings: dict[str, Any]) -> Job:
    """Return the job as it is published, from checked settings under the file's names."""
    renamed = {"timeout": "timeout_s", "grace": "grace_s", "missed_grace": "missed_grace_s"}
    fields = {renamed.get(name, name): value for name, value in settings.items()}
    if "timezone" in fields:
        # To its command it is the time of the place that its schedule is in, unless it says else.
        fields["env"] = {"TZ": fields["timezone"]} | (fields.get("env") or {})
    for name in ("backoff", "retry_on"):
        if name in fields:
            fields[name] = fields[name].record()
    for name, kind in _CHOICES.items():
        if name in fields:
            fields[name] = kind(fields[name])
    return Job(**{"cluster": "", "timezone": "UTC", **fields})
