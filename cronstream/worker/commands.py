"""Between the protocol and the executor: what a run is to the child that starts commands."""

from datetime import UTC, datetime

from cronstream.core.protocol.actions import Cancel, End, Go, Hand, Lease, run_and_claim
from cronstream.core.wire.entries import Finished
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.runs import Run
from cronstream.core.wire.sizes import shortened
from cronstream.core.wire.times import format_time
from cronstream.executor import protocol


def to_command(action: Hand | Go | Cancel | End | Lease) -> protocol.Order:
    """Return what the executor is to be told."""
    match action:
        case Hand():
            return to_hold(action)
        case Go(key=key):
            return protocol.Go(key)
        case Cancel(key=key):
            return protocol.Cancel(key)
        case End(key=key, note=note):
            return protocol.End(key, note)
        case Lease(partition=partition, until=until):
            return protocol.Lease(str(partition), until)


def to_hold(action: Hand) -> protocol.Hold:
    """Return what the executor is told of an attempt that is handed to it."""
    run = action.run
    return protocol.Hold(
        key=action.key,
        partition=str(action.partition),
        at=run.not_before.timestamp(),
        go=action.go,
        command=run.command,
        env={**(run.env or {}), **environment(run)},
        cwd=run.cwd,
        timeout_s=run.timeout_s,
        grace_s=run.grace_s,
        ends_before_s=action.ends_before_s,
        background=run.background.value,
        alone=action.alone,
    )


def environment(run: Run) -> dict[str, str]:
    """Return the variables by which a command knows which run and attempt it is."""
    return {
        "CRONSTREAM_RUN_ID": run.id,
        "CRONSTREAM_JOB": run.job,
        "CRONSTREAM_CLUSTER": run.cluster,
        "CRONSTREAM_ATTEMPT": str(run.attempt),
        "CRONSTREAM_MAX_ATTEMPTS": str(run.max_attempts),
        "CRONSTREAM_SCHEDULED_AT": format_time(run.scheduled_at),
    }


def to_finished(report: protocol.Finished, worker: str) -> Finished:
    """Return the entry for an attempt whose end the executor reports."""
    run, claim = run_and_claim(report.key)
    return Finished(
        run=run,
        claim=claim,
        worker=worker,
        outcome=Outcome(report.outcome),
        started_at=None if report.started_at is None else moment(report.started_at),
        ended_at=moment(report.ended_at),
        exit_status=report.exit_status,
        signal=report.signal,
        head=_text(report.head),
        tail=_text(report.tail),
        omitted=report.omitted,
        note=report.note and shortened(_text(report.note)),
    )


def to_failed(key: str, worker: str, now: datetime, note: str) -> Finished:
    """Return the entry for an attempt of which only is known that it went wrong in here."""
    run, claim = run_and_claim(key)
    return Finished(
        run=run,
        claim=claim,
        worker=worker,
        outcome=Outcome.FAILED,
        started_at=None,
        ended_at=now,
        note=shortened(_text(note)),
    )


def _text(text: str) -> str:
    """Return a text without what no message may have in it."""
    return text.replace("\0", "\N{SYMBOL FOR NULL}")


def moment(epoch_s: float) -> datetime:
    """Return the time that the executor gave in seconds since 1970."""
    return datetime.fromtimestamp(epoch_s, UTC)
