"""The clusters that a crontab names, and whether its jobs keep to them."""

from collections.abc import Callable
from dataclasses import dataclass

from cronstream.core.crontab.faults import Fault, faults_of
from cronstream.core.crontab.model import ClusterModel
from cronstream.core.crontab.problems import Problems
from cronstream.core.crontab.yaml_nodes import Mapping, Node, Plain, Scalar, Sequence, plain
from cronstream.core.wire.naming import cluster_problem
from cronstream.errors import Part, Place

_NAME_ONE = "name one, as 'clusters: [cluster-a]'"


@dataclass(frozen=True, slots=True)
class Cluster:
    """A named set of workers that share topics."""

    name: str
    description: str | None = None


@dataclass(slots=True)
class _Jobs:
    """Jobs that have the same fault: they are reported in one line, at the first of them."""

    place: Place
    part: Part
    others: int = 0

    def mentioned(self) -> str:
        """Return what is said of the others."""
        if not self.others:
            return ""
        return f", as in {self.others} other {'place' if self.others == 1 else 'places'}"


class ClusterReader:
    """Reads ``clusters``, and holds what jobs say against it.

    Where that cannot be read, no job is said to name an unknown one.
    """

    def __init__(self, problems: Problems, note: Callable[[list[Fault], Node, Part], None]) -> None:
        self.found: dict[str, Cluster] = {}
        self._problems, self._note = problems, note
        self._is_whole = True
        self._named: dict[str, Place] = {}
        self._unknown: dict[str, _Jobs] = {}
        self._without: _Jobs | None = None

    def read(self, node: Node | None, root: Place) -> None:
        """Read what stands under the key; None if it is not there."""
        if node is None:
            self._fail(root, f"'clusters' is missing; {_NAME_ONE}")
        elif isinstance(node, Sequence) and node.items:
            for item in node.items:
                self._read_listed(item)
        elif isinstance(node, Mapping) and node.items:
            for name, settings in node.items.items():
                self._read_settings(name, node.keys[name], settings)
        else:
            self._fail(node.place, f"'clusters' must be a list or a mapping of names; {_NAME_ONE}")

    def _fail(self, place: Place, sentence: str) -> None:
        self._is_whole = False
        self._problems.add(place, sentence, key="clusters")

    def _read_listed(self, item: Node) -> None:
        if not isinstance(item, Scalar) or not isinstance(item.value, str):
            what = plain(item)
            shown = f"cluster {what} must be text" if isinstance(item, Scalar) else "not a name"
            self._fail(item.place, f"{shown}; write '- cluster-a', and settings as in a mapping")
            return
        first = self._named.setdefault(item.value, item.place)
        if first is not item.place:
            where = f"first on line {first.line}"
            sentence = f"cluster {item.value!r} appears twice, {where}; remove one"
            self._problems.add(item.place, sentence, key="clusters")
        self._enter(Cluster(item.value), item.place)

    def _read_settings(self, name: str, place: Place, settings: Node) -> None:
        values = plain(settings)
        model, faults = faults_of(ClusterModel, {} if values is None else values)
        self._note(faults, settings, Part("cluster", name))
        self._enter(Cluster(name, model.description if model is not None else None), place)

    def _enter(self, cluster: Cluster, place: Place) -> None:
        problem = cluster_problem(cluster.name)
        if problem is not None:
            self._problems.add(place, f"{problem}; rename it", key="clusters")
        # It is known all the same, so that its jobs are not reported for it as well.
        self.found[cluster.name] = cluster

    def check(self, name: Plain, place: Place, part: Part) -> None:
        """Take the cluster that a job names."""
        if not isinstance(name, str) or name in self.found or not self._is_whole:
            return
        if name in self._unknown:
            self._unknown[name].others += 1
        else:
            self._unknown[name] = _Jobs(place, part)

    def miss(self, place: Place, part: Part) -> None:
        """Take a job that names none, though nothing says which it belongs to."""
        if not self._is_whole:
            return
        if self._without is None:
            self._without = _Jobs(place, part)
        else:
            self._without.others += 1

    def report(self) -> None:
        """Note what is wrong with what the jobs have said."""
        names = ", ".join(self.found)
        for name, jobs in self._unknown.items():
            what = f"cluster {name!r} is not known{jobs.mentioned()}"
            sentence = f"{what}; 'clusters' names {names or 'none'}"
            self._problems.add(jobs.place, sentence, jobs.part, key="cluster")
        if self._without is not None:
            jobs = self._without
            many = ", or name one under 'defaults'" if jobs.others else ""
            sentence = f"'cluster' is missing{jobs.mentioned()}; choose one of {names}{many}"
            self._problems.add(jobs.place, sentence, jobs.part, key="cluster")
