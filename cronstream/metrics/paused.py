"""What is told of paused jobs: by schedulers from definitions, by workers from their ledgers."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from heapq import nsmallest
from typing import Final

from prometheus_client import Metric

from cronstream.core.ledger.fold import Ledger
from cronstream.core.planning.due import Shard
from cronstream.metrics.exposition import gauges

#: So many have a series of their own, the first by name: a whole cluster may be paused.
MOST_PAUSED: Final = 100


def families_of_paused(shards: Iterable[Shard], now: datetime) -> Iterator[Metric]:
    """Yield which jobs of some shards are paused, and how many of each cluster.

    Those that their discarded runs have paused are not among them: only the ledger of their
    cluster knows (`families_of_halted`).
    """
    paused, numbers = list[tuple[str, str]](), Counter[str]()
    for shard in shards:
        numbers.update(dict.fromkeys(shard.clusters, 0))
        found = [(job.name, job.cluster) for job in shard.paused(now)]
        paused += found
        numbers.update(cluster for _, cluster in found)
    yield from _families(paused, numbers)


def families_of_halted(ledgers: Iterable[Ledger], cluster: str) -> Iterator[Metric]:
    """Yield which jobs of some partitions of a cluster's log their discarded runs have paused."""
    halted = [
        (name, cluster)
        for ledger in ledgers
        for name, mark in ledger.book.marks.items()
        if mark.paused.halted_at is not None and not mark.is_removed
    ]
    yield from _families(halted, {cluster: len(halted)})


def _families(paused: list[tuple[str, str]], numbers: Mapping[str, int]) -> Iterator[Metric]:
    yield gauges(
        "cronstream_job_paused",
        "1 for a job that is paused: a scheduler's by a person or by the crontab, a worker's by "
        "their discarded runs; 100 of them at most.",
        {},
        [
            ({"cron_job": job, "cluster": cluster}, 1)
            for job, cluster in nsmallest(MOST_PAUSED, paused)
        ],
    )
    yield gauges(
        "cronstream_jobs_paused",
        "How many jobs are paused, of those that a scheduler fires, or of a worker's partitions.",
        {},
        [({"cluster": cluster}, number) for cluster, number in numbers.items()],
    )
