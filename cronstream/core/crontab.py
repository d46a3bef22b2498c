"""The text of a crontab to its jobs, or to every problem with its line and column.

The result is a value: what the jobs are, without any time. `cronstream.crontab_file` reads and
watches the file; the format is described in ``docs/crontab.md``.
"""

from dataclasses import dataclass
from typing import Any

from cronstream.core.crontab_faults import Fault, faults_of, unknown_key
from cronstream.core.crontab_model import ClusterModel, DefaultsModel, JobModel
from cronstream.core.crontab_pairs import DEFAULT_LEASE_S, pair_faults
from cronstream.core.naming import cluster_problem
from cronstream.core.problems import Place, Problems
from cronstream.core.records import Delivery, Job, Overlap
from cronstream.core.schedule import compile_schedule, find_zone
from cronstream.core.yaml_tree import (
    Mapping,
    Node,
    Plain,
    Scalar,
    Sequence,
    find_place,
    parse_yaml,
    plain,
)
from cronstream.errors import CrontabError, ScheduleError

VERSION = 1
#: A crontab of 100,000 jobs has about as much.
MAX_BYTES = 16 * 1024 * 1024
_KEYS = ("version", "clusters", "defaults", "jobs")


@dataclass(frozen=True, slots=True)
class Cluster:
    """A named set of workers that share topics."""

    name: str
    description: str | None = None


@dataclass(frozen=True, slots=True)
class Crontab:
    """All clusters and jobs of an installation, in the order of the file; all of it is valid.

    Attributes:
        default: What a job is like that says nothing of itself, without name, schedule and
            command; None if ``defaults`` name no cluster and there is not just one.
    """

    clusters: tuple[Cluster, ...]
    jobs: tuple[Job, ...]
    default: Job | None = None


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
        raise CrontabError(source, problems.sentences())
    return crontab


class _Reader:
    """Reads one text, and goes on after a fault, so that all of them are found at once."""

    def __init__(self, problems: Problems, lease_s: float) -> None:
        self._problems, self._lease_s = problems, lease_s
        self._clusters: dict[str, Cluster] = {}
        self._defaults: dict[str, Any] = {}
        self._has_good_defaults = True
        self._has_default_cluster = False
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
        for key in root.items:
            if key not in _KEYS:
                self._problems.add(root.keys[key], unknown_key(key, _KEYS))
        self._read_version(root)
        self._read_clusters(root)
        self._read_defaults(root)
        jobs = self._read_jobs(root)
        return Crontab(tuple(self._clusters.values()), tuple(jobs), self._default())

    def _default(self) -> Job | None:
        only = next(iter(self._clusters)) if len(self._clusters) == 1 else None
        cluster = self._defaults.get("cluster") or only
        if cluster is None or self._problems:
            return None
        unnamed = {"name": "", "schedule": "", "command": "", "cluster": cluster}
        return _job(self._defaults | unnamed)

    def _explain_root(self, root: Node | None) -> None:
        if self._problems:
            return
        if root is None or (isinstance(root, Scalar) and root.value is None):
            self._problems.add(Place(1, 1), "the crontab is empty; begin it with 'version: 1'")
        else:
            self._problems.add(
                root.place, "the crontab must be a mapping; begin it with 'version: 1'"
            )

    def _read_version(self, root: Mapping) -> None:
        node = root.items.get("version")
        if node is None:
            self._problems.add(root.place, "'version' is missing; begin with 'version: 1'")
        elif not (isinstance(node, Scalar) and type(node.value) is int and node.value == VERSION):
            self._problems.add(
                node.place, f"version {plain(node)!r} is not supported; write 'version: 1'"
            )

    def _read_clusters(self, root: Mapping) -> None:
        node = root.items.get("clusters")
        if node is None:
            self._problems.add(root.place, "'clusters' is missing; name one, as 'cluster-a:'")
        elif not isinstance(node, Mapping) or not node.items:
            self._problems.add(
                node.place, "'clusters' must be a mapping; name one, as 'cluster-a:'"
            )
        else:
            for name, settings in node.items.items():
                self._read_cluster(name, node.keys[name], settings)

    def _read_cluster(self, name: str, place: Place, settings: Node) -> None:
        problem = cluster_problem(name)
        if problem is not None:
            self._problems.add(place, f"{problem}; rename it")
        values = plain(settings)
        model, faults = faults_of(ClusterModel, {} if values is None else values)
        self._note(faults, settings, f"cluster {name!r}: ")
        description = model.description if model is not None else None
        # It is known all the same, so that its jobs are not told of it as well.
        self._clusters[name] = Cluster(name, description)

    def _read_defaults(self, root: Mapping) -> None:
        node = root.items.get("defaults")
        values = None if node is None else plain(node)
        if node is None or values is None:
            return
        defaults, faults = faults_of(DefaultsModel, values)
        self._note(faults, node, "defaults: ")
        self._has_good_defaults = defaults is not None
        if defaults is not None:
            self._defaults = self._settings(defaults, node, "defaults: ")
        if not isinstance(values, dict):
            return
        self._has_default_cluster = "cluster" in values
        self._check_cluster(values.get("cluster"), find_place(node, ("cluster",)), "defaults: ")
        self._zone = self._check_zone(
            values.get("timezone"), find_place(node, ("timezone",)), "defaults: "
        )

    def _read_jobs(self, root: Mapping) -> list[Job]:
        node = root.items.get("jobs")
        if node is None:
            self._problems.add(root.place, "'jobs' is missing; add 'jobs: []' if there are none")
            return []
        if isinstance(node, Scalar) and node.value is None:
            return []
        if not isinstance(node, Sequence):
            self._problems.add(node.place, "'jobs' must be a list; begin each job with '- name: …'")
            return []
        jobs = (self._read_job(item, index) for index, item in enumerate(node.items, start=1))
        return [job for job in jobs if job is not None]

    def _read_job(self, node: Node, number: int) -> Job | None:
        values = plain(node)
        label = f"job number {number}: "
        if isinstance(values, dict) and isinstance(values.get("name"), str):
            label = f"job {values['name']!r}: "
            self._note_name(str(values["name"]), find_place(node, ("name",)), label)
        model, faults = faults_of(JobModel, values)
        self._note(faults, node, label)
        if isinstance(values, dict):
            self._check_whole(values, node, label)
        settings = None if model is None else self._settings(model, node, label)
        return None if settings is None or self._problems else _job(settings)

    def _settings(self, model: DefaultsModel, node: Node, label: str) -> dict[str, Any]:
        """Return what holds for a job, or for all of them; note what does not go together."""
        said = {name: getattr(model, name) for name in model.model_fields_set}
        settings = self._defaults | said
        if self._has_good_defaults:
            self._note(list(pair_faults(settings, said, self._lease_s)), node, label)
        return settings

    def _note_name(self, name: str, place: Place, label: str) -> None:
        first = self._named.setdefault(name, place)
        if first is not place:
            self._problems.add(
                place, f"{label}the name is there twice, first on line {first.line}; rename one"
            )

    def _check_whole(self, values: dict[str, Plain], node: Node, label: str) -> None:
        """Check what a job says only together with the rest of the file, if it says it in text."""
        if "cluster" in values:
            self._check_cluster(values["cluster"], find_place(node, ("cluster",)), label)
        elif not self._has_default_cluster:
            known = ", ".join(self._clusters)
            self._problems.add(node.place, f"{label}'cluster' is missing; choose one of {known}")
        zone = self._check_zone(values.get("timezone"), find_place(node, ("timezone",)), label)
        schedule = values.get("schedule")
        if isinstance(schedule, str):
            try:
                compile_schedule(schedule, zone)
            except ScheduleError as error:
                place = find_place(node, ("schedule",))
                self._problems.add(place, f"{label}schedule {schedule!r}: {error}")

    def _check_cluster(self, name: Plain, place: Place, label: str) -> None:
        if isinstance(name, str) and name not in self._clusters:
            known = ", ".join(self._clusters) or "none"
            self._problems.add(
                place, f"{label}cluster {name!r} is not known; 'clusters' names {known}"
            )

    def _check_zone(self, name: Plain, place: Place, label: str) -> str:
        """Return the zone to check a schedule in: this one, or the default if it is no zone."""
        if not isinstance(name, str):
            return self._zone
        try:
            find_zone(name)
        except ScheduleError as error:
            self._problems.add(place, f"{label}{error}")
            return self._zone
        return name

    def _note(self, faults: list[Fault], node: Node, label: str) -> None:
        for fault in faults:
            self._problems.add(fault.place_in(node), label + fault.sentence)


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
    if "delivery" in fields:
        fields["delivery"] = Delivery(fields["delivery"])
    if "overlap" in fields:
        fields["overlap"] = Overlap(fields["overlap"])
    return Job(**{"cluster": "", "timezone": "UTC", **fields})
