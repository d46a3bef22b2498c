"""The audit of what retention has left, which must agree with what was heard from the first day."""

from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from cronstream.core.audit.definitions import JobHistory
from cronstream.core.audit.finding import FAULTS, Finding, Kind, Window
from cronstream.core.audit.known import Known, Offsets
from cronstream.core.audit.partition import PartitionAudit
from cronstream.core.audit.tally import Tally
from cronstream.core.wire.times import format_time
from tests.builders import NAMES
from tests.simulation.loop import START, moment, seconds
from tests.timelapse.checks import due_times
from tests.timelapse.jobs import CLUSTERS
from tests.timelapse.kafka import DAY_S, SegmentedLog

if TYPE_CHECKING:
    from tests.timelapse.lapse import Lapse

#: As in ``history.auditing``.
_BEFORE_DUE: Final = timedelta(minutes=15)


class Auditor:
    """Reads what is left of one partition of all logs, a day after another."""

    def __init__(self, lapse: "Lapse", partition: int) -> None:
        self.lapse, self.partition = lapse, partition
        self.now = moment(lapse.loop.now)
        self.found: list[Finding] = []
        self.tally = Tally()
        logs = {
            (cluster, topic): lapse.topics.log(topic(cluster), partition)
            for cluster in CLUSTERS
            for topic in (NAMES.log, NAMES.retry_log, NAMES.discarded)
        }
        self._logs = logs
        gone = {key: at for key, log in logs.items() if (at := self._gone_until(log)) is not None}
        firsts = [at for (_, topic), at in gone.items() if topic == NAMES.log]
        self.since = max([START, *(at + _BEFORE_DUE for at in firsts)])
        known = Known(
            START,
            lambda _: Offsets(0, len(lapse.jobs.messages)),
            {cluster: at for (cluster, topic), at in gone.items() if topic == NAMES.retry_log},
            {cluster: at for (cluster, topic), at in gone.items() if topic == NAMES.discarded},
        )
        window = Window(self.since, self.now)
        histories = self._histories()
        self._one = PartitionAudit(histories, window, self.tally, self.found.append, known)
        for (cluster, topic), log in logs.items():
            if topic != NAMES.discarded:
                is_retry = topic == NAMES.retry_log
                self._one.begin(cluster, retry=is_retry, from_middle=log.start > 0)

    def _gone_until(self, log: SegmentedLog) -> datetime | None:
        if log.start == 0:
            return None
        return log.messages[log.start][0] if log.kept else self.now

    def _histories(self) -> dict[str, JobHistory]:
        found: dict[str, JobHistory] = {}
        for number, (_, [job]) in enumerate(self.lapse.jobs.messages):
            if self.lapse.topics.partition_of(job.name) == self.partition:
                found.setdefault(job.name, JobHistory(job.name)).define(number, job)
        return found

    def go_through(self) -> None:
        """Take all messages, in pieces of a day."""
        places = {key: log.start for key, log in self._logs.items()}
        for day in range(1, int(self.lapse.loop.now / DAY_S) + 2):
            for (cluster, topic), log in self._logs.items():
                place = places[cluster, topic]
                while place < len(log.messages) and log.true_times[place] < day * DAY_S:
                    at, entries = log.messages[place]
                    if topic == NAMES.discarded:
                        self._one.fold_discarded(cluster, entries[0])
                    else:
                        is_retry = topic == NAMES.retry_log
                        self._one.fold(cluster, is_retry, place, at, entries)
                    place += 1
                places[cluster, topic] = place
            self._one.sweep()
        self._one.finish(self.now)


def faults_of_audit(lapse: "Lapse") -> Iterator[str]:
    """Yield what the audit finds, though nothing is broken; and where its counts are others."""
    expected: defaultdict[int, list[tuple[str, datetime]]] = defaultdict(list)
    for job, due in due_times(lapse, moment(lapse.loop.now)):
        expected[lapse.topics.partition_of(job)].append((job, due))
    for partition in range(lapse.topics.partitions):
        auditor = Auditor(lapse, partition)
        auditor.go_through()
        for finding in auditor.found:
            lapse.count[f"audit: {finding.kind}"] += 1
            if finding.kind in FAULTS and not _is_of_a_clock(lapse, finding):
                yield f"the audit says {finding.kind}: {finding.run}: {finding.text}"
        asked = [one for one in expected[partition] if one[1] >= auditor.since]
        tally = auditor.tally
        lapse.count["audited"] += tally.due
        # A run that has begun stands, though an edit holds from just before it.
        more = len(_begun_all_the_same(lapse, expected[partition], partition))
        counted = tally.due - tally.requested
        if not len(asked) <= counted <= len(asked) + more:
            yield f"the audit counts {counted} due times, and there were {len(asked)}"
        for verdict in ("succeeded", "discarded", "skipped"):
            yield from _unlike(lapse, tally, verdict, asked, more + tally.requested)


def _begun_all_the_same(
    lapse: "Lapse", due: list[tuple[str, datetime]], partition: int
) -> set[str]:
    known = {f"{job}@{format_time(at)}" for job, at in due}
    return {
        run
        for run, story in lapse.judge.stories.items()
        if story.verdicts
        and run not in known
        and lapse.topics.partition_of(run.partition("@")[0]) == partition
        and "!" not in run
    }


def _is_of_a_clock(lapse: "Lapse", finding: Finding) -> bool:
    """Whether it was early by a clock that was wrong, the broker's or the worker's own."""
    due = seconds(datetime.fromisoformat(finding.run.partition("@")[2].partition("!")[0]))
    return finding.kind is Kind.EARLY and any(
        begin - DAY_S <= due <= end + DAY_S for begin, end, why in lapse.excuses if "clock" in why
    )


def _unlike(
    lapse: "Lapse", tally: Tally, verdict: str, due: list[tuple[str, datetime]], more: int
) -> Iterator[str]:
    judge = lapse.judge
    runs = [(f"{job}@{format_time(at)}", job, at) for job, at in due]
    heard = sum(judge.verdicts(*run)[:1] == [verdict] for run in runs)
    if not heard <= tally.verdicts[verdict] <= heard + more:
        yield f"the audit counts {tally.verdicts[verdict]} as {verdict}, and {heard} were heard"
