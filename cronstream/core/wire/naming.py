"""The names that everything on Kafka has: topics, consumer groups, tables."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

#: What all names begin with that an installation has on Kafka, unless it was set otherwise.
DEFAULT_PREFIX = "cronstream"
#: The table that says how far each shard's runs are published.
CURSORS = "cursors"
#: The table of each group of workers that has the fold of each partition.
LEDGERS = "ledgers"
#: The tables that schedulers keep, and those of workers.
TABLES_OF_SCHEDULERS = (CURSORS, "jobs")
TABLES_OF_WORKERS = (LEDGERS, "runs")

#: What no cluster may be called, since the installation's own topics have these names.
RESERVED = frozenset({"jobs", "ticks", "quarantine", "installation"})
#: Roles beside a cluster's own that have consumer groups; see `Names`.
_GROUPS = frozenset({"scheduler", "legacy"})
_CLUSTER = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
#: No dot and no hyphen: `x` with a cluster `y-z` and `x-y` with a cluster `z` would share a group.
_PREFIX = re.compile(r"[a-z][a-z0-9]{0,31}")


class RoleKind(StrEnum):
    """What a process of the application does."""

    SCHEDULER = "scheduler"
    WORKER = "worker"
    RETRY_WORKER = "retry-worker"


@dataclass(frozen=True, slots=True)
class Role:
    """What one process is there for: the scheduler, or a cluster's worker or retry worker.

    Attributes:
        cluster: The cluster that a worker belongs to; None for a scheduler.
    """

    kind: RoleKind
    cluster: str | None = None

    @classmethod
    def of(cls, cluster: str | None, *, retry: bool) -> "Role":
        """Return the role that the worker options ``--cluster`` and ``--retry`` choose."""
        if cluster is None:
            return cls(RoleKind.SCHEDULER)
        return cls(RoleKind.RETRY_WORKER if retry else RoleKind.WORKER, cluster)

    @property
    def retry(self) -> bool:
        """Whether this role makes later attempts."""
        return self.kind is RoleKind.RETRY_WORKER

    def __str__(self) -> str:
        """The words people read: ``scheduler``, ``cluster-a``, ``cluster-a retry``."""
        if self.cluster is None:
            return "scheduler"
        return f"{self.cluster} retry" if self.retry else self.cluster


#: The role of whoever publishes what is due: the only one that belongs to no cluster.
SCHEDULER = Role(RoleKind.SCHEDULER)


@dataclass(frozen=True, slots=True)
class ClusterTopics:
    """One cluster's topics.

    Attributes:
        log: The ledger of its first attempts.
        retry_log: The ledger of its later attempts.
        discarded: Where runs that are out of attempts are kept for people.
        chains: The installation's own: what follows runs of this cluster in other clusters.
    """

    log: str
    retry_log: str
    discarded: str
    chains: str


@dataclass(frozen=True, slots=True)
class Names:
    """What one installation's topics and consumer groups are called.

    Installations with different prefixes share none, so one Kafka has room for several.

    Attributes:
        prefix: What all of them begin with; see `prefix_problem`.
    """

    prefix: str

    @property
    def jobs(self) -> str:
        """The topic of the jobs' definitions."""
        return f"{self.prefix}.jobs"

    @property
    def ticks(self) -> str:
        """The topic that makes schedulers look at what is due."""
        return f"{self.prefix}.ticks"

    @property
    def quarantine(self) -> str:
        """The topic of messages that nobody could read."""
        return f"{self.prefix}.quarantine"

    @property
    def workers(self) -> str:
        """The topic where every process, whatever its role, reports itself."""
        return f"{self.prefix}.installation.workers"

    @property
    def chains(self) -> str:
        """The topic of runs that follow one of another cluster; schedulers hand them over."""
        return f"{self.prefix}.installation.chains"

    def log(self, cluster: str) -> str:
        """Return the topic that is the ledger of the cluster's first attempts."""
        return f"{self.prefix}.{cluster}"

    def retry_log(self, cluster: str) -> str:
        """Return the topic that is the ledger of the cluster's later attempts."""
        return f"{self.prefix}.{cluster}.retry"

    def discarded(self, cluster: str) -> str:
        """Return the topic where runs that are out of attempts are kept for people."""
        return f"{self.prefix}.{cluster}.discarded"

    def output(self, cluster: str) -> str:
        """Return the topic of what commands write while somebody follows their run."""
        return f"{self.prefix}.{cluster}.output"

    def topics_of(self, cluster: str) -> ClusterTopics:
        """Return all topics of one cluster."""
        logs = self.log(cluster), self.retry_log(cluster)
        return ClusterTopics(*logs, self.discarded(cluster), self.chains)

    def log_of(self, role: Role) -> str:
        """Return the log that a worker of this role folds.

        Raises:
            ValueError: If it is a scheduler, which folds none.
        """
        if role.cluster is None:
            raise ValueError("a scheduler folds no log")
        return self.retry_log(role.cluster) if role.retry else self.log(role.cluster)

    def group(self, role: Role) -> str:
        """Return a role's consumer group, which is Faust's app id."""
        if role.cluster is None:
            return f"{self.prefix}-scheduler"
        return f"{self.prefix}-{role.cluster}" + ("-retry" if role.retry else "")

    @property
    def legacy_group(self) -> str:
        """The consumer group that says how far a topic in the old layout has been moved."""
        return f"{self.prefix}-legacy"

    def tables(self, role: Role) -> list[str]:
        """Return the topics that keep the tables of a role."""
        tables = TABLES_OF_SCHEDULERS if role.cluster is None else TABLES_OF_WORKERS
        return [changelog(self.group(role), table) for table in tables]

    def leader(self, role: Role) -> str:
        """Return the topic by which Faust has one process of a group lead it."""
        return leader(self.group(role))

    def ledgers(self, role: Role) -> str:
        """Return the topic of the folds that workers of this role keep."""
        return changelog(self.group(role), LEDGERS)

    @property
    def cursors(self) -> str:
        """The topic that says how far each shard's runs are published."""
        return changelog(self.group(SCHEDULER), CURSORS)

    @property
    def kept_jobs(self) -> str:
        """The topic where it is kept what is known of `jobs`: that of the table of jobs."""
        return changelog(self.group(SCHEDULER), "jobs")

    def clusters(self, topics: Iterable[str]) -> list[str]:
        """Return the names of the clusters whose topics are among these."""
        there = frozenset(topics)
        found = {topic.removeprefix(f"{self.prefix}.").removesuffix(".retry") for topic in there}
        return sorted(name for name in found if name and self.retry_log(name) in there)

    def owns(self, name: str) -> bool:
        """Return whether a topic or a consumer group has this installation's prefix."""
        return name.startswith((f"{self.prefix}.", f"{self.prefix}-"))

    def is_changelog(self, topic: str) -> bool:
        """Return whether a topic keeps a table of Faust's."""
        return topic.startswith(f"{self.prefix}-") and topic.endswith("-changelog")

    def is_output(self, topic: str) -> bool:
        """Return whether a topic is one of live output; a cluster's log may be named `output`."""
        prefix, _, rest = topic.partition(".")
        return prefix == self.prefix and rest.partition(".")[1:] == (".", "output")

    def siblings(self, topic: str) -> list[str]:
        """Return the topics that have as many partitions as this one when they are made."""
        if topic in (self.jobs, self.ticks):
            return [self.jobs, self.ticks, *self.tables(SCHEDULER)]
        cluster = topic.removeprefix(f"{self.prefix}.")
        cluster = cluster.removesuffix(".retry").removesuffix(".discarded")
        logs = [self.log(cluster), self.retry_log(cluster), self.discarded(cluster)]
        if topic not in logs or cluster_problem(cluster):
            return [topic]
        roles = [Role.of(cluster, retry=retry) for retry in (False, True)]
        return logs + [topic for role in roles for topic in self.tables(role)]


def changelog(group: str, table: str) -> str:
    """Return the topic that Faust keeps a group's table on."""
    return f"{group}-{table}-changelog"


def leader(group: str) -> str:
    """Return the topic by which Faust has one process of a group lead it."""
    return f"{group}-__assignor-__leader"


def prefix_problem(prefix: str) -> str | None:
    """Return why names cannot begin with `prefix`, or None if they can."""
    if _PREFIX.fullmatch(prefix):
        return None
    return (
        f"{prefix!r} cannot be the prefix of topics and consumer groups: it must be lower-case "
        "letters and digits, at most 32, and begin with a letter"
    )


def cluster_problem(name: str) -> str | None:
    """Return why `name` cannot be a cluster's name, or None if it can.

    It is part of topic names and consumer groups, so Kafka's letters are kept to
    (``org.apache.kafka.common.internals.Topic``), without the dot and in lower case.
    """
    if name in RESERVED:
        return f"cluster name {name!r} is taken by a topic of cronstream's own"
    if not _CLUSTER.fullmatch(name):
        return (
            f"cluster name {name!r} must be lower-case letters, digits and hyphens, "
            "at most 63, and not begin with a hyphen"
        )
    if name.endswith("-retry") or name in _GROUPS:
        return f"cluster name {name!r} would share a consumer group with another role"
    return None
