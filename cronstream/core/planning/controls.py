"""What people have last asked of each job and each cluster: to pause, or to go on."""

from collections.abc import Iterable
from typing import Final

from cronstream.core.wire.control import Control
from cronstream.core.wire.runs import Job

#: No more clusters are kept that no job is of.
_MOST: Final = 10_000


class Controls:
    """The last word on each job of a partition of ``jobs``, and on each cluster.

    Attributes:
        of_job: By the job's name.
        of_cluster: By the cluster's.
    """

    def __init__(self) -> None:
        self.of_job: dict[str, Control] = {}
        self.of_cluster: dict[str, Control] = {}

    def __bool__(self) -> bool:
        return bool(self.of_job or self.of_cluster)

    def hear(self, control: Control, job: Job | None) -> None:
        """Take the next word; one about a job counts if that is there, and is of its cluster.

        Args:
            control: What was asked.
            job: The job that it is about, as it is known; None for a cluster, and without one.
        """
        if control.job is None:
            if len(self.of_cluster) < _MOST or control.cluster in self.of_cluster:
                self.of_cluster[control.cluster] = control
        elif job is not None and not job.removed and job.cluster == control.cluster:
            self.of_job[control.job] = control

    def learn(self, job: Job) -> None:
        """Forget what was asked of a job that is taken out."""
        if job.removed:
            self.of_job.pop(job.name, None)

    def all(self) -> list[Control]:
        """Return each last word."""
        return [*self.of_job.values(), *self.of_cluster.values()]


def word_on(job: Job, own: Control | None, of_cluster: Control | None) -> Control | None:
    """Return the word that counts for a job: the pause that lasts longest, or the last one.

    A pause that had ended by itself when the last word was said counts no longer. One that holds
    although somebody has asked for the job to go on says so: its own discarded runs are forgiven.

    Args:
        job: What it says itself counts where the word that it has from there is not known.
        own: The last word on it.
        of_cluster: The last one on its cluster.
    """
    words, kept = [word for word in (own, of_cluster) if word is not None], job.control
    if kept is not None:
        is_known = own if kept.job is not None else of_cluster
        if is_known is None and (kept.job is not None or kept.cluster == job.cluster):
            words.append(kept)
    last = latest(words)
    pauses = [word for word in words if word.is_pause and last and word.ends_at > last.at]
    if not pauses:
        return last
    longest = max(pauses, key=lambda word: (word.ends_at, word.at))
    resumed = [word.at for word in words if not word.is_pause and word.at > longest.at]
    if kept is not None and (kept.at, kept.job) == (longest.at, longest.job) and kept.resumed_at:
        resumed.append(kept.resumed_at)
    return longest.derive(resumed_at=max(resumed)) if resumed else longest


def is_lifted(job: Job, former: Job | None) -> bool:
    """Whether a person has resumed a job by this definition, and not by one before it.

    Also if it stays paused with its cluster: what its discarded runs have done is over.
    """
    lifted_at = job.control and job.control.lifted_at
    before = former and former.control and former.control.lifted_at
    return lifted_at is not None and lifted_at != before


def steered(job: Job, said: Iterable[Controls]) -> Job:
    """Return a job as it is with what people have last asked of it, and of its cluster."""
    of = list(said)
    own = latest(controls.of_job.get(job.name) for controls in of)
    word = word_on(job, own, latest(controls.of_cluster.get(job.cluster) for controls in of))
    return job if word == job.control else job.derive(control=word)


def latest(controls: Iterable[Control | None]) -> Control | None:
    """Return the last of some words."""
    said = (control for control in controls if control is not None)
    return max(said, key=lambda control: control.at, default=None)
