"""The names that everything on Kafka has: topics, consumer groups, tables."""

import re
from dataclasses import dataclass
from enum import StrEnum

PREFIX = "cronstream"
JOBS = f"{PREFIX}.jobs"
TICKS = f"{PREFIX}.ticks"
QUARANTINE = f"{PREFIX}.quarantine"
#: Where every process, whatever its role, tells of itself.
WORKERS = f"{PREFIX}.installation.workers"
#: The table that says how far each shard's runs are published.
CURSORS = "cursors"
#: The table of each group of workers that has the fold of each partition.
LEDGERS = "ledgers"
_TABLES_OF_SCHEDULERS = (CURSORS, "jobs")
_TABLES_OF_WORKERS = ("ledgers", "runs")

#: What no cluster may be called, since the installation's own topics have these names.
RESERVED = frozenset({"jobs", "ticks", "quarantine", "installation"})
#: Roles beside a cluster's own that have consumer groups; see `Role.group` and `LEGACY_GROUP`.
_GROUPS = frozenset({"scheduler", "legacy"})
_CLUSTER = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


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
    def group(self) -> str:
        """The consumer group, which is Faust's app id."""
        if self.cluster is None:
            return f"{PREFIX}-scheduler"
        return f"{PREFIX}-{self.cluster}" + ("-retry" if self.retry else "")

    @property
    def retry(self) -> bool:
        """Whether this role makes later attempts."""
        return self.kind is RoleKind.RETRY_WORKER

    @property
    def log(self) -> str:
        """The log that a worker of this role folds.

        Raises:
            ValueError: If it is a scheduler, which folds none.
        """
        if self.cluster is None:
            raise ValueError("a scheduler folds no log")
        return retry_log(self.cluster) if self.retry else log(self.cluster)

    def __str__(self) -> str:
        """The words people read: ``scheduler``, ``cluster-a``, ``cluster-a retry``."""
        if self.cluster is None:
            return "scheduler"
        return f"{self.cluster} retry" if self.retry else self.cluster


def log(cluster: str) -> str:
    """Return the topic that is the ledger of the cluster's first attempts."""
    return f"{PREFIX}.{cluster}"


def retry_log(cluster: str) -> str:
    """Return the topic that is the ledger of the cluster's later attempts."""
    return f"{PREFIX}.{cluster}.retry"


def discarded(cluster: str) -> str:
    """Return the topic where runs that are out of attempts are kept for people."""
    return f"{PREFIX}.{cluster}.discarded"


def changelog(group: str, table: str) -> str:
    """Return the topic that Faust keeps a group's table on."""
    return f"{group}-{table}-changelog"


def kept_jobs() -> str:
    """Return the topic where it is kept what is known of ``jobs``: that of the table of jobs."""
    return changelog(Role.of(None, retry=False).group, "jobs")


def is_changelog(topic: str) -> bool:
    """Return whether a topic keeps a table of Faust's."""
    return topic.startswith(f"{PREFIX}-") and topic.endswith("-changelog")


def siblings(topic: str) -> list[str]:
    """Return the topics that have as many partitions as this one when they are made, with it."""
    if topic in (JOBS, TICKS):
        group = Role.of(None, retry=False).group
        return [JOBS, TICKS, *(changelog(group, table) for table in _TABLES_OF_SCHEDULERS)]
    cluster = topic.removeprefix(f"{PREFIX}.").removesuffix(".retry").removesuffix(".discarded")
    logs = [log(cluster), retry_log(cluster), discarded(cluster)]
    if topic not in logs or cluster_problem(cluster):
        return [topic]
    groups = [Role.of(cluster, retry=retry).group for retry in (False, True)]
    return logs + [changelog(group, table) for group in groups for table in _TABLES_OF_WORKERS]


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
