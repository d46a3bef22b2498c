"""The jobs in force as Faust's tables view shows them: what this process fires, by name."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from cronstream.core.planning.due import Shard
from cronstream.core.wire.runs import Job
from cronstream.core.wire.times import format_time


class JobsView(dict[str, Any]):
    """The jobs of some shards, as JSON values; made when they are asked for.

    Args:
        shards: Returns those that this process has, by number.
    """

    def __init__(self, shards: Callable[[], Mapping[int, Shard]]) -> None:
        super().__init__()
        self._shards = shards

    def __getitem__(self, name: str) -> dict[str, Any]:
        for number, shard in self._shards().items():
            learnt = shard.latest(name)
            if learnt is not None and not learnt.job.removed:
                return row_of(learnt.job, number, learnt.number)
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return self.get(str(name)) is not None

    def __iter__(self) -> Iterator[str]:
        for shard in self._shards().values():
            yield from shard.names()

    def __len__(self) -> int:
        return sum(shard.jobs for shard in self._shards().values())

    def get(self, name: str, default: Any = None) -> Any:
        """Return the job's row, or `default`."""
        try:
            return self[name]
        except KeyError:
            return default


def row_of(job: Job, shard: int, revision: int) -> dict[str, Any]:
    """Return a job as people see it in the table; its environment may hold secrets, and is not."""
    since = job.effective_from
    return {
        "cluster": job.cluster,
        "schedule": job.schedule,
        "timezone": job.timezone,
        "command": job.command,
        "max_attempts": job.max_attempts,
        "timeout_s": job.timeout_s,
        "delivery": job.delivery.value,
        "overlap": job.overlap.value,
        "max_queue": job.max_queue,
        "max_running": job.max_running,
        "fence": job.fence,
        "allow_args": job.allow_args,
        "allow_env": job.allow_env,
        "background": job.background.value,
        "missed_grace_s": job.missed_grace_s,
        "missed": job.missed.value,
        "description": job.description,
        "revision": revision,
        "effective_from": None if since is None else format_time(since),
        "shard": shard,
    }
