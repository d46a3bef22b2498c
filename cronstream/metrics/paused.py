"""What a scheduler tells of jobs that are paused, by the definitions in force."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from heapq import nsmallest
from typing import Final

from prometheus_client import Metric

from cronstream.core.planning.due import Shard
from cronstream.metrics.exposition import gauges

#: So many have a series of their own, the first by name: a whole cluster may be paused.
MOST_PAUSED: Final = 100


def families_of_paused(shards: Iterable[Shard], now: datetime) -> Iterator[Metric]:
    """Yield which jobs of some shards are paused, and how many of each cluster.

    Those that their discarded runs have paused are not among them: only the ledger of their
    cluster knows.
    """
    paused, numbers = list[tuple[str, str]](), Counter[str]()
    for shard in shards:
        numbers.update(dict.fromkeys(shard.clusters, 0))
        found = list(_paused(shard, now))
        paused += found
        numbers.update(cluster for _, cluster in found)
    yield gauges(
        "cronstream_job_paused",
        "1 for a job that is paused by a person or by the crontab; 100 of them at most.",
        {},
        [
            ({"cron_job": job, "cluster": cluster}, 1)
            for job, cluster in nsmallest(MOST_PAUSED, paused)
        ],
    )
    yield gauges(
        "cronstream_jobs_paused",
        "How many jobs are paused by a person or by the crontab, of those that this one fires.",
        {},
        [({"cluster": cluster}, number) for cluster, number in numbers.items()],
    )


def _paused(shard: Shard, now: datetime) -> Iterator[tuple[str, str]]:
    for name in shard.names():
        latest = shard.latest(name)
        if latest is not None and now < latest.paused_to:
            yield name, latest.job.cluster
