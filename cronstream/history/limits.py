"""Why an audit cannot know all: what the topics no longer have, in sentences."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from cronstream.core.audit.known import Offsets, Unknown
from cronstream.core.audit.tally import Tally
from cronstream.core.wire.times import format_time
from cronstream.topology.publish import partition_of


@dataclass(slots=True)
class Limits:
    """What was found to be missing while the topics were read.

    Attributes:
        topic_of_jobs: Its name.
        jobs: What is left of each of its partitions.
        left_out: For each partition whose earlier due times are left out, those before when.
        gone: For each topic that has been deleted up to a time within the audit, that time.
        moved: Which due times are another house's, in sentences.
        surplus: For each topic that was given partitions, how many it has and how many are in use.
    """

    topic_of_jobs: str
    jobs: dict[int, Offsets] = field(default_factory=dict)
    left_out: list[datetime] = field(default_factory=list)
    gone: dict[str, datetime] = field(default_factory=dict)
    moved: list[str] = field(default_factory=list)
    surplus: dict[str, tuple[int, int]] = field(default_factory=dict)

    def offsets(self, job: str) -> Offsets:
        """Return what is left of the partition of a job's definitions."""
        return self.jobs[partition_of(job, len(self.jobs))] if self.jobs else Offsets()

    def sentences(self, tally: Tally) -> Iterator[str]:
        """Yield each reason with what follows from it."""
        yield from self.moved
        if self.left_out:
            yield (
                f"due times before {_second(max(self.left_out))} are left out in "
                f"{len(self.left_out)} partitions, whose logs have been deleted up to then"
            )
        yield from self._of_definitions(tally.unknown[Unknown.DEFINITION])
        for what, topic in ((Unknown.RETRIES, ".retry"), (Unknown.DISCARD, ".discarded")):
            times = [until for name, until in self.gone.items() if name.endswith(topic)]
            if tally.unknown[what] and times:
                yield (
                    f"the {what} of {tally.unknown[what]:,} runs cannot be judged: a {topic[1:]} "
                    f"topic has been deleted up to {_second(max(times))}"
                )
        for name, (there, used) in self.surplus.items():
            yield (
                f"{name} was given partitions: it has {there}, and only {used} are in use and "
                "audited"
            )

    def _of_definitions(self, runs: int) -> Iterator[str]:
        if any(offsets.first for offsets in self.jobs.values()):
            what = "has been deleted in part: what was defined before is not audited"
        elif runs:
            what = "was recreated: it no longer has what was defined before"
        else:
            return
        yield (
            f"{self.topic_of_jobs} {what}, and {runs:,} runs of such definitions are not held "
            "against them"
        )


def _second(moment: datetime) -> str:
    return format_time(moment.replace(microsecond=0))
