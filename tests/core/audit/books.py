"""The ``jobs`` topic and the logs of clusters, written by hand and audited."""

from datetime import datetime, timedelta
from typing import Any

from cronstream.core.audit.definitions import JobHistory
from cronstream.core.audit.finding import FAULTS, Finding, Kind, Window
from cronstream.core.audit.known import Known
from cronstream.core.audit.partition import PartitionAudit
from cronstream.core.audit.tally import Tally
from cronstream.core.wire.entries import (
    Claimed,
    Entry,
    Finished,
    Forwarded,
    Level,
    Lost,
    Released,
    Settled,
    Started,
    Withdrawal,
)
from cronstream.core.wire.enumerations import Outcome, Verdict
from cronstream.core.wire.runs import Attempt, Discarded, Job, Run
from tests.builders import a_run, at

_MARGIN = timedelta(minutes=15)


def a_job(**fields: Any) -> Job:
    """Return a job that is due each minute from noon on."""
    values: dict[str, Any] = {
        "name": "backup",
        "cluster": "cluster-a",
        "schedule": "@every 60s",
        "timezone": "UTC",
        "command": "true",
        "effective_from": at(0),
        **fields,
    }
    return Job(**values)


class Books:
    """One partition; each entry is a message of its own, in the order in which it was written."""

    def __init__(self, **fields: Any) -> None:
        self._definitions: list[tuple[int, Job]] = []
        self._messages: dict[tuple[str, bool], list[tuple[datetime, Entry]]] = {}
        self._gone: list[Discarded] = []
        #: What the topics still have; all of it if None.
        self.known: Known | None = None
        if fields.keys() & {"start_within_s", "missed"}:
            self.put(Level(level=4), 0)
        if fields.pop("job", True):
            self.define(0, **fields)

    def define(self, number: int, when: float = 0.0, *clusters: str, **fields: Any) -> None:
        """Put a definition into force: on the ``jobs`` topic, and on the logs."""
        job = self.write_down(number, **fields)
        since = job.effective_from or at(when)
        entry = Withdrawal(job=job.name, revision=number, effective_from=since)
        for cluster in clusters or (job.cluster,):
            self.put(entry, when=when, cluster=cluster)

    def write_down(self, number: int, **fields: Any) -> Job:
        """Put a definition on the ``jobs`` topic, and nowhere else."""
        job = a_job(**fields)
        self._definitions.append((number, job))
        return job

    def _histories(self) -> dict[str, JobHistory]:
        found: dict[str, JobHistory] = {}
        for number, job in self._definitions:
            found.setdefault(job.name, JobHistory(job.name)).define(number, job)
        return found

    def put(
        self, entry: Entry, when: float, *, retry: bool = False, cluster: str = "cluster-a"
    ) -> int:
        """Append an entry to a log; return its offset."""
        log = self._messages.setdefault((cluster, retry), [])
        log.append((max(at(when), log[-1][0]) if log else at(when), entry))
        return len(log) - 1

    def publish(self, run: Run, when: float | None = None) -> int:
        """Put a run on its cluster's log, 30 s ahead unless said; return its version."""
        due = (run.not_before - at(0)).total_seconds()
        return self.put(run, due - 30 if when is None else when, cluster=run.cluster)

    def attempt(self, run: Run, version: int, *, retry: bool = False, **fields: Any) -> int:
        """Make an attempt on time, or as said; return where it ended."""
        due = (run.not_before - at(0)).total_seconds()
        start, worker = fields.get("start", due), fields.get("worker", "w1")
        outcome, end = fields.get("outcome", Outcome.SUCCEEDED), fields.get("end", start + 1)
        where: dict[str, Any] = {"retry": retry, "cluster": run.cluster}
        named: dict[str, Any] = {"run": run.id, "worker": worker}
        claimed = fields.get("claimed", min(start, due) - 20)
        self.put(Claimed(version=version, number=1, **named), claimed, **where)
        self.put(Started(claim=version, started_at=at(start), **named), start, **where)
        finished = Finished(
            claim=version, outcome=outcome, started_at=at(start), ended_at=at(end), **named
        )
        return self.put(finished, end, **where)

    def succeed(self, *due: float, **fields: Any) -> None:
        """Publish runs, and make them with success."""
        for seconds in due:
            run = due_at(seconds, **fields)
            self.attempt(run, self.publish(run))

    def give_back(self, run: Run, *, started: bool = False, when: float = 50) -> tuple[int, int]:
        """Have w1 claim a run, maybe start it, and give it back; return both versions."""
        version = self._claim(run, started=started)
        return version, self.put(Released(run=run.id, claim=version, worker="w1"), when)

    def lose(self, run: Run, *, started: bool = False) -> tuple[int, int]:
        """Have w1 be lost with a run seven seconds after its time; return both versions."""
        version = self._claim(run, started=started)
        due = (run.not_before - at(0)).total_seconds()
        return version, self.put(Lost(worker="w1", number=1), due + 7)

    def _claim(self, run: Run, *, started: bool) -> int:
        due, version = (run.not_before - at(0)).total_seconds(), self.publish(run)
        self.put(Claimed(run=run.id, version=version, worker="w1", number=1), due - 20)
        if started:
            self.put(Started(run=run.id, claim=version, worker="w1", started_at=at(due)), due)
        return version

    def retried(self, run: Run, verdict: Verdict, *, tell: bool = True) -> None:
        """Have a run fail once, and be made again by a retry worker."""
        due = (run.not_before - at(0)).total_seconds()
        decided = self.attempt(run, self.publish(run), outcome=Outcome.FAILED)
        second = later(run)
        version = self.put(second, due + 2, retry=True)
        self.put(Forwarded(run=run.id, version=decided), due + 2)
        outcome = Outcome.SUCCEEDED if verdict is Verdict.SUCCEEDED else Outcome.FAILED
        ended = self.attempt(second, version, retry=True, outcome=outcome)
        if verdict is Verdict.DISCARDED and tell:
            self.discard(second, due + 12)
        self.put(Settled(run=run.id, verdict=verdict, attempt=2), due + 12)
        self.put(Forwarded(run=run.id, version=ended), due + 12, retry=True)

    def discard(self, run: Run, when: float) -> None:
        """Put a run on the discarded topic."""
        self._gone.append(Discarded(run=run, reason="2 of 2 failures", discarded_at=at(when)))

    def audit(self, since: float = 0, until: float = 200, **fields: Any) -> "Audited":
        """Audit the due times between two times in seconds after noon, as of the second."""
        now, pieces = fields.pop("now", until), fields.pop("pieces", 1)
        times = 2 if fields.pop("twice", False) else 1
        most = 0
        tally, findings = Tally(), list[Finding]()
        window = Window(at(since), at(until), **fields)
        one = PartitionAudit(
            self._histories(),
            window,
            tally,
            findings.append,
            self.known or Known(at(since) - _MARGIN),
        )
        clusters = {cluster for cluster, _ in self._messages}
        for cluster in sorted(clusters):
            for retry in (False, True):
                one.begin(cluster, retry=retry, from_middle=False)
        for piece in range(pieces):
            for _ in range(times):
                self._feed(one, piece, pieces, now)
            most = max(most, len(one.runs))
            one.sweep()
        one.finish(at(now))
        return Audited(findings, tally, most)

    def _feed(self, one: PartitionAudit, piece: int, pieces: int, now: float) -> None:
        first, last = (now * (piece + i) / pieces for i in (0, 1))
        since, until = at(-1e9 if piece == 0 else first), at(1e9 if piece == pieces - 1 else last)
        for (cluster, retry), messages in sorted(self._messages.items()):
            for offset, (when, entry) in enumerate(messages):
                if since <= when < until:
                    one.fold(cluster, retry, offset, when, [entry])
        for record in self._gone:
            if since <= record.discarded_at < until:
                one.fold_discarded(record.run.cluster, record)


class Audited:
    """What an audit has come to, and how many runs it had to keep in mind at a time."""

    def __init__(self, findings: list[Finding], tally: Tally, most_at_once: int) -> None:
        self.findings, self.tally = findings, tally
        self.most_at_once = most_at_once

    @property
    def faults(self) -> list[tuple[str, str]]:
        """Kind and run of each broken promise."""
        return [(f.kind.value, f.run) for f in self.findings if f.kind in FAULTS]

    def of(self, kind: Kind) -> list[str]:
        """The texts of the findings of a kind."""
        return [finding.text for finding in self.findings if finding.kind is kind]


def due_at(seconds: float, **fields: Any) -> Run:
    """Return the run that is due so many seconds after noon."""
    return a_run(scheduled_at=at(seconds), **{"revision": 0, **fields})


def later(run: Run, **fields: Any) -> Run:
    """Return a run's second attempt, ten seconds after the first."""
    failed = Attempt(attempt=1, outcome=Outcome.FAILED, ended_at=run.not_before)
    values: dict[str, Any] = {
        "attempt": 2,
        "attempts_left": run.attempts_left - 1,
        "not_before": run.not_before + timedelta(seconds=10),
        "attempts": [failed],
        **fields,
    }
    return run.derive(**values)
