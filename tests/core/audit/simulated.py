"""The audit of what a simulated world leaves behind."""

from collections import defaultdict
from datetime import timedelta

from cronstream.core.audit.definitions import JobHistory
from cronstream.core.audit.finding import Finding, Window
from cronstream.core.audit.known import Known
from cronstream.core.audit.partition import PartitionAudit
from cronstream.core.audit.tally import Tally
from cronstream.core.wire.runs import Discarded
from tests.simulation.log import Log
from tests.simulation.loop import START, moment
from tests.simulation.world import CLUSTER, World

#: Long enough that a piece of time holds some entries, short enough that there are several.
_PIECE_S = 7.0


def audit_world(world: World, *, in_pieces: bool) -> tuple[list[Finding], Tally]:
    """Audit all logs of a world, whole or a piece of time after another."""
    findings, tally = list[Finding](), Tally()
    end = moment(world.loop.now)
    for partition in range(world.topics.partitions):
        histories = _histories(world, partition)
        one = PartitionAudit(
            histories,
            Window(START - timedelta(hours=1), end),
            tally,
            findings.append,
            Known(START - timedelta(hours=1)),
        )
        logs = [world.logs_of(retry=retry)[partition] for retry in (False, True)]
        discarded = world.topics.of(f"{world.cluster_topic}.discarded")[partition]
        _feed(one, logs, discarded, in_pieces=in_pieces)
        one.finish(end)
    findings += tally.chains.findings(Window(START - timedelta(hours=1), end), START, end)
    return findings, tally


def _histories(world: World, partition: int) -> dict[str, JobHistory]:
    found: dict[str, JobHistory] = {}
    for number, (_, records) in enumerate(world.jobs.messages):
        for job in records:
            if world.topics.partition_of(job.name) == partition:
                found.setdefault(job.name, JobHistory(job.name)).define(number, job)
    return found


def _feed(one: PartitionAudit, logs: list[Log], discarded: Log, *, in_pieces: bool) -> None:
    pieces: defaultdict[int, list[tuple[int, int, Log]]] = defaultdict(list)
    for kind, log in enumerate([*logs, discarded]):
        piece = 0
        for offset, true_at in enumerate(log.true_times):
            # By the true time: the clocks of brokers may be wrong, and one after another is read.
            piece = max(piece, int(true_at // _PIECE_S)) if in_pieces else 0
            pieces[piece].append((kind, offset, log))
    for retry in (False, True):
        one.begin(CLUSTER, retry=retry, from_middle=False)
    for piece in sorted(pieces):
        for kind, offset, log in sorted(pieces[piece], key=lambda x: x[:2]):
            at, records = log.messages[offset]
            if kind < 2:
                one.fold(CLUSTER, kind == 1, offset, at, records)
            else:
                for record in records:
                    assert isinstance(record, Discarded)
                    one.fold_discarded(CLUSTER, record)
        one.sweep()
