"""What really happened: each command writes a line of its own, whatever the ledger says."""

import asyncio
import uuid
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Line:
    """One start of a command: of which run, at which attempt, and in which worker."""

    run: str
    attempt: int
    worker: str

    @property
    def job(self) -> str:
        return self.run.partition("@")[0]


class Truth:
    """A file to which commands append."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "truth"

    @property
    def command(self) -> str:
        """Shell text that notes a start; workers are told apart by their variable WORKER."""
        return f'echo "$CRONSTREAM_RUN_ID $CRONSTREAM_ATTEMPT $WORKER" >> {self.path}'

    def lines(self, job: str | None = None) -> list[Line]:
        """Return the starts so far, of one job or of all."""
        text = self.path.read_text() if self.path.exists() else ""
        found = [line.split(" ") for line in text.splitlines()]
        lines = [Line(run, int(attempt), worker) for run, attempt, worker in found]
        return [line for line in lines if job is None or line.job == job]

    async def wait(self, count: int, job: str | None = None, within_s: float = 120.0) -> list[Line]:
        """Return the lines once there are `count`."""
        async with asyncio.timeout(within_s):
            while len(self.lines(job)) < count:  # noqa: ASYNC110 - other processes write it
                await asyncio.sleep(0.05)
        return self.lines(job)


def a_name(what: str) -> str:
    """Return a name no other test uses, so that tests share a broker and nothing else."""
    return f"{what}-{uuid.uuid4().hex[:8]}"
