"""How long attempts of a job take, and whether they succeed: as given, or as seen before."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from cronstream.core.ledger.retry import noise


class Identified(Protocol):
    """A run."""

    @property
    def id(self) -> str:
        """What it is called."""


class Sample(NamedTuple):
    """One attempt, as it was or as it is taken to be.

    Attributes:
        seconds: From its start to its end.
        succeeds: Whether it does; else it is retried, if the job has attempts left.
    """

    seconds: float
    succeeds: bool = True


@dataclass(frozen=True, slots=True)
class Lasting:
    """Attempts to choose from; each run has always the same.

    Attributes:
        samples: At least one.
    """

    samples: tuple[Sample, ...]

    @property
    def longest_s(self) -> float:
        """The seconds of the longest."""
        return max(sample.seconds for sample in self.samples)

    def of(self, run: Identified, attempt: int) -> Sample:
        """Return what an attempt of a run is like, picked by a hash of the two.

        Args:
            run: Whose id is asked for only if there is a choice.
            attempt: 1 for the first.
        """
        if len(self.samples) == 1:
            return self.samples[0]
        return self.samples[int(noise(run.id, -attempt) * len(self.samples))]
