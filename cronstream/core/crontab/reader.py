"""Reads the tree of a crontab, and goes on after a fault, so that all of them are found at once."""

from typing import Any

from cronstream.core.crontab.clusters import ClusterReader
from cronstream.core.crontab.crontab import Beside, Crontab
from cronstream.core.crontab.expecting import expectation_faults
from cronstream.core.crontab.faults import Fault, faults_of, mend_keys
from cronstream.core.crontab.linking import FollowingReader
from cronstream.core.crontab.making import job_of
from cronstream.core.crontab.model import DefaultsModel, JobModel
from cronstream.core.crontab.pairs import pair_faults
from cronstream.core.crontab.problems import Problems
from cronstream.core.crontab.schedules import ScheduleReader
from cronstream.core.crontab.sizes import size_fault
from cronstream.core.crontab.top import (
    explain_root,
    read_include,
    read_mark,
    read_version,
    refuse_unknown,
)
from cronstream.core.crontab.yaml_nodes import (
    Mapping,
    Node,
    Plain,
    Scalar,
    Sequence,
    find_place,
    plain,
)
from cronstream.core.schedule.schedule import find_zone
from cronstream.core.wire.runs import Job
from cronstream.errors import Part, Place, ScheduleError

_NOTHING = Beside()
#: What a job has to say itself.
_UNNAMED = {"name": "", "schedule": "", "command": ""}
_KEYS = ("version", "clusters", "calendars", "defaults", "include", "jobs", "allow_removals")
#: What a file may have that a crontab includes.
_PART_KEYS = ("defaults", "jobs", "allow_removals")
#: What no two jobs have in common.
_OWN = tuple(name for name in JobModel.model_fields if name not in DefaultsModel.model_fields)


class Reader:
    """Reads one text.

    Args:
        problems: Gets every fault.
        lease_s: The workers' lease, for which a fenced job's grace has to be short enough.

    Attributes:
        clusters: What the jobs say of clusters is held against it.
        schedules: Reads when they are due.
        defaults: What holds for all jobs, by the keys of the file.
    """

    def __init__(self, problems: Problems, lease_s: float) -> None:
        self._problems, self._lease_s = problems, lease_s
        self.clusters = ClusterReader(problems, self._note)
        self.schedules = ScheduleReader(problems)
        self.following = FollowingReader(problems)
        self.defaults: dict[str, Any] = {}
        self._has_good_defaults = True
        self._has_default_cluster = False
        #: What stands under the defaults, and belongs to each job.
        self._misplaced: set[str] = set()
        self._zone = "UTC"
        #: What is wrong with the zones that were named, if anything.
        self._zones: dict[str, str] = {}
        self._named: dict[str, Place] = {}

    def read(self, root: Node | None, beside: Beside = _NOTHING) -> Crontab | None:
        """Return the crontab of a tree, or None once it is clear that there is none.

        Args:
            root: The tree.
            beside: What belongs to the crontab, and is not there.
        """
        if root is None or not isinstance(root, Mapping):
            explain_root(root, self._problems)
            return None
        self._note(mend_keys(root, _KEYS), root, None)
        if not read_version(root, self._problems):
            return None
        refuse_unknown(root, _KEYS, self._problems)
        self.clusters.read(root.items.get("clusters"), root.place)
        self.schedules.read_calendars(root.items.get("calendars"))
        self._read_defaults(root)
        include = read_include(root, self._problems)
        jobs = self._read_jobs(_jobs_of(root, self._problems, may_lack=bool(include)), beside)
        self.clusters.report()
        return Crontab(
            tuple(self.clusters.found.values()),
            tuple(jobs),
            self._default(),
            self._named,
            allow_removals=read_mark(root, self._problems),
            include=include,
        )

    def read_part(self, root: Node | None, beside: Beside = _NOTHING) -> Crontab | None:
        """Return what a file says that the crontab includes which was read here before.

        Its own defaults lie above those of the crontab; clusters and calendars are that one's. Its
        jobs follow each other only: so it is good or wrong by itself.

        Args:
            root: Its tree.
            beside: What belongs to the file, and is not there.
        """
        if not isinstance(root, Mapping):
            place = Place(1, 1) if root is None else root.place
            if not self._problems:
                self._problems.add(place, "an included file begins with 'jobs:', or 'defaults:'")
            return None
        self._named, self.following = {}, FollowingReader(self._problems)
        self.defaults = {name: value for name, value in self.defaults.items() if name != "then"}
        self._note(mend_keys(root, _PART_KEYS), root, None)
        for key in root.items.keys() & (set(_KEYS) - set(_PART_KEYS)):
            sentence = f"{key!r} belongs into the crontab that includes this file; move it there"
            self._problems.add(root.keys.pop(key), sentence, key=key)
            del root.items[key]
        refuse_unknown(root, _PART_KEYS, self._problems)
        self._read_defaults(root)
        jobs = self._read_jobs(_jobs_of(root, self._problems), beside)
        self.clusters.report()
        allowed = read_mark(root, self._problems)
        return Crontab((), tuple(jobs), places=self._named, allow_removals=allowed)

    def _note(self, faults: list[Fault], node: Node, part: Part | None) -> None:
        for fault in faults:
            self._problems.add(fault.place_in(node), fault.sentence, part, key=fault.key)

    def _read_defaults(self, root: Mapping) -> None:
        node = root.items.get("defaults")
        if node is None or (isinstance(node, Scalar) and node.value is None):
            return
        part = Part("defaults")
        self._move_out(node)
        self._note(mend_keys(node, DefaultsModel.model_fields), node, part)
        values = plain(node)
        defaults, faults = faults_of(DefaultsModel, values)
        self._note(faults, node, part)
        self._has_good_defaults = defaults is not None
        if defaults is not None:
            self.defaults = self._settings(defaults, node, part)
            self.following.foresee(node)
            self._has_good_defaults = self._fits(self._job(_UNNAMED | self.defaults), node, part)
        if not isinstance(values, dict):
            self._has_default_cluster = True  # It may well be there.
            return
        self._has_default_cluster |= "cluster" in values
        self.clusters.check(values.get("cluster"), find_place(node, ("cluster",)), part)
        self._has_good_defaults &= self.schedules.check_rules(values, node, part)
        zone = find_place(node, ("timezone",))
        self._zone = self._check_zone(values.get("timezone"), zone, part)

    def _move_out(self, node: Node) -> None:
        """Take from the defaults what is a job's own: then no job is reported for lacking it."""
        for key in _OWN:
            if isinstance(node, Mapping) and key in node.items:
                sentence = f"{key!r} is each job's own; write it there"
                self._problems.add(node.keys.pop(key), sentence, Part("defaults"), key=key)
                del node.items[key]
                self._misplaced.add(key)

    def _settings(self, model: DefaultsModel, node: Node, part: Part) -> dict[str, Any]:
        """Return what holds for a job, or for all of them; note what does not go together."""
        said = {name: getattr(model, name) for name in model.model_fields_set}
        settings = self.defaults | said
        if self._has_good_defaults:
            self._note(list(pair_faults(settings, said, self._lease_s)), node, part)
        return settings

    def _fits(self, job: Job, node: Node, part: Part) -> bool:
        """Return whether a job fits in a message; note it if not."""
        fault = size_fault(job)
        if fault is not None:
            self._note([fault], node, part)
        return fault is None

    def _check_zone(self, name: Plain, place: Place, part: Part) -> str:
        """Return the zone to check a schedule in: this one, or the default if it is no zone."""
        if not isinstance(name, str):
            return self._zone
        if name not in self._zones:
            try:
                find_zone(name)
                self._zones[name] = ""
            except ScheduleError as error:
                self._zones[name] = str(error)
        if fault := self._zones[name]:
            self._problems.add(place, fault, part, key="timezone")
        return self._zone if fault else name

    def _read_jobs(self, nodes: list[Node], beside: Beside) -> list[Job]:
        """Return all jobs, each with what follows it."""
        others = [job.name for job in beside.jobs]
        self.following.foresee(*nodes)
        self.following.forgive(nodes, others)
        numbers = beside.numbers or range(1, len(nodes) + 1)
        found = [self.read_job(*each) for each in zip(nodes, numbers, strict=True)]
        jobs = [*beside.jobs, *(job for job in found if job is not None)]
        return self.following.link(jobs, self._named.keys() | others)

    def read_job(self, node: Node, number: int) -> Job | None:
        """Return the job that stands at a place of the list, counted from 1; None after a fault."""
        part = Part("job", number)
        mended = mend_keys(node, JobModel.model_fields)
        values = plain(node)
        name = values.get("name") if isinstance(values, dict) else None
        if isinstance(name, str):
            part = Part("job", name)
            self._note_name(name, find_place(node, ("name",)), part)
        self.following.complete(values, name)
        model, faults = faults_of(JobModel, values)
        faults = [fault for fault in faults if fault.missing not in self._misplaced]
        self._note([*mended, *faults], node, part)
        is_due = isinstance(values, dict) and self._check_whole(values, node, part)
        if model is None:
            return None
        settings = self._settings(model, node, part)
        self.following.note(settings.get("then"), node, part)
        job = self._job(settings)
        if self._has_good_defaults:
            self._fits(job, node, part)
            if is_due:
                self.schedules.check_whole(job, find_place(node, ("schedule",)), part)
            self._note(list(expectation_faults(job)), node, part)
        return None if self._problems else job

    def _note_name(self, name: str, place: Place, part: Part) -> None:
        first = self._named.setdefault(name, place)
        if first is not place:
            sentence = f"the name appears twice, first on line {first.line}; rename one"
            self._problems.add(place, sentence, part, key="name")

    def _check_whole(self, values: dict[str, Plain], node: Node, part: Part) -> bool:
        """Check what a job says only together with the rest of the file, if it says it in text.

        Returns:
            Whether each part of when it is due is fine.
        """
        if "cluster" in values:
            self.clusters.check(values["cluster"], find_place(node, ("cluster",)), part)
        elif not self._has_default_cluster:
            self.clusters.miss(node.place, part)
        zone = self._check_zone(values.get("timezone"), find_place(node, ("timezone",)), part)
        has_good_rules = self.schedules.check_rules(values, node, part)
        return self.schedules.check_schedule(values, node, part, zone) and has_good_rules

    def _job(self, settings: dict[str, Any]) -> Job:
        own = {name: value for name, value in settings.items() if name != "then"}
        return job_of(self.schedules.composed(own))

    def _default(self) -> Job | None:
        only = next(iter(self.clusters.found)) if len(self.clusters.found) == 1 else None
        cluster = self.defaults.get("cluster") or only
        if cluster is None or self._problems:
            return None
        return self._job(_UNNAMED | self.defaults | {"cluster": cluster})


def _jobs_of(root: Mapping, problems: Problems, *, may_lack: bool = False) -> list[Node]:
    """Return what stands in the list of jobs; note if that is none."""
    node = root.items.get("jobs")
    if node is None and not may_lack:
        sentence = "'jobs' is missing; add 'jobs: []' if there are none"
        problems.add(root.place, sentence, key="jobs")
    if node is None or (isinstance(node, Scalar) and node.value is None):
        return []
    if not isinstance(node, Sequence):
        sentence = "'jobs' must be a list; begin each job with '- name: …'"
        problems.add(node.place, sentence, key="jobs")
        return []
    return node.items
