"""Reads the tree of a crontab, and goes on after a fault, so that all of them are found at once."""

from typing import Any

from cronstream.core.crontab.clusters import ClusterReader
from cronstream.core.crontab.crontab import Crontab
from cronstream.core.crontab.expecting import expectation_faults
from cronstream.core.crontab.faults import Fault, faults_of, mend_keys, unknown_key
from cronstream.core.crontab.include import include_of
from cronstream.core.crontab.linking import FollowingReader
from cronstream.core.crontab.making import job_of
from cronstream.core.crontab.model import DefaultsModel, JobModel
from cronstream.core.crontab.pairs import pair_faults
from cronstream.core.crontab.problems import Problems
from cronstream.core.crontab.removals import mark_fault
from cronstream.core.crontab.schedules import ScheduleReader
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
from cronstream.core.schedule.schedule import find_zone
from cronstream.core.wire.runs import Job
from cronstream.errors import Part, Place, ScheduleError

VERSION = 1
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
        self._named: dict[str, Place] = {}

    def read(self, root: Node | None) -> Crontab | None:
        """Return the crontab of a tree, or None once it is clear that there is none."""
        if root is None or not isinstance(root, Mapping):
            self._explain_root(root)
            return None
        self._note(mend_keys(root, _KEYS), root, None)
        if not self._read_version(root):
            return None
        self._refuse_unknown(root, _KEYS)
        self.clusters.read(root.items.get("clusters"), root.place)
        self.schedules.read_calendars(root.items.get("calendars"))
        self._read_defaults(root)
        include = self._read_include(root.items.get("include"))
        jobs = self.following.link(self._read_jobs(root, may_lack=bool(include)), self._named)
        self.clusters.report()
        return Crontab(
            tuple(self.clusters.found.values()),
            tuple(jobs),
            self._default(),
            self._named,
            allow_removals=self._read_mark(root.items.get("allow_removals")),
            include=include,
        )

    def read_part(self, root: Node | None) -> Crontab | None:
        """Return what a file says that the crontab includes which was read here before.

        Its own defaults lie above those of the crontab; clusters and calendars are that one's. Its
        jobs follow each other only: so it is good or wrong by itself.
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
        self._refuse_unknown(root, _PART_KEYS)
        self._read_defaults(root)
        jobs = self.following.link(self._read_jobs(root), self._named)
        self.clusters.report()
        allowed = self._read_mark(root.items.get("allow_removals"))
        return Crontab((), tuple(jobs), places=self._named, allow_removals=allowed)

    def _refuse_unknown(self, root: Mapping, known: tuple[str, ...]) -> None:
        for key in root.items:
            if key not in known:
                self._problems.add(root.keys[key], unknown_key(key, known), key=key)

    def _read_include(self, node: Node | None) -> tuple[str, ...]:
        if node is None:
            return ()
        found = include_of(node)
        if found is None:
            sentence = "'include' must be the name of a file, or a list; write 'teams/*.yaml'"
            self._problems.add(node.place, sentence, key="include")
        return found or ()

    def _explain_root(self, root: Node | None) -> None:
        if self._problems:
            return
        if root is None or (isinstance(root, Scalar) and root.value is None):
            self._problems.add(Place(1, 1), "the crontab is empty; begin it with 'version: 1'")
        else:
            self._problems.add(
                root.place, "the crontab must be a mapping; begin it with 'version: 1'"
            )

    def _note(self, faults: list[Fault], node: Node, part: Part | None) -> None:
        for fault in faults:
            self._problems.add(fault.place_in(node), fault.sentence, part, key=fault.key)

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

    def _read_mark(self, node: Node | None) -> str:
        value = None if node is None else plain(node)
        if node is None or value is None:
            return ""
        if fault := mark_fault(value):
            self._problems.add(node.place, fault, key="allow_removals")
        return str(value)

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
        try:
            find_zone(name)
        except ScheduleError as error:
            self._problems.add(place, str(error), part, key="timezone")
            return self._zone
        return name

    def _read_jobs(self, root: Mapping, *, may_lack: bool = False) -> list[Job]:
        node = root.items.get("jobs")
        if node is None and may_lack:
            return []
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
        self.following.foresee(*node.items)
        self.following.forgive(*node.items)
        jobs = (self.read_job(item, index) for index, item in enumerate(node.items, start=1))
        return [job for job in jobs if job is not None]

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
