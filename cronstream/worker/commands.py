"""Between the protocol and the executor: what a run is to the child that starts commands."""

from datetime import UTC, datetime
from typing import Any

from cronstream.core.protocol.actions import Cancel, End, Go, Hand, Lease, run_and_claim
from cronstream.core.wire.confinement import Confinement
from cronstream.core.wire.entries import Finished
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.runs import Previous, Run
from cronstream.core.wire.sizes import shortened
from cronstream.core.wire.times import format_time
from cronstream.executor import protocol
from cronstream.tracing.span import Tracer


def to_command(
    action: Hand | Go | Cancel | End | Lease, tracer: Tracer | None = None
) -> protocol.Order:
    """Return what the executor is to be sent; with a tracer, a command goes on with its trace."""
    match action:
        case Hand():
            return to_hold(action, tracer)
        case Go(key=key):
            return protocol.Go(key)
        case Cancel(key=key):
            return protocol.Cancel(key)
        case End(key=key, note=note):
            return protocol.End(key, note)
        case Lease(partition=partition, until=until):
            return protocol.Lease(str(partition), until)


def to_hold(action: Hand, tracer: Tracer | None = None) -> protocol.Hold:
    """Return what the executor is sent of an attempt that is handed to it."""
    run = action.run
    traced = {} if tracer is None else {"TRACEPARENT": tracer.traceparent(run)}
    return protocol.Hold(
        key=action.key,
        partition=str(action.partition),
        at=run.not_before.timestamp(),
        go=action.go,
        command=run.command,
        env={**traced, **(run.env or {}), **environment(run)},
        cwd=run.cwd,
        timeout_s=run.timeout_s,
        grace_s=run.grace_s,
        ends_before_s=action.ends_before_s,
        background=run.background.value,
        alone=action.alone,
        secrets=run.secrets,
        **_confinement(run.confinement or Confinement()),
    )


def _confinement(of: Confinement) -> dict[str, Any]:
    limits = {
        "cpu": of.cpu_s,
        "as": of.memory_bytes,
        "nofile": of.files,
        "fsize": of.file_bytes,
        "nproc": of.processes,
    }
    set_ones = {name: limit for name, limit in limits.items() if limit is not None}
    return {"user": of.user, "umask": of.umask, "limits": set_ones or None}


def environment(run: Run) -> dict[str, str]:
    """Return the variables by which a command knows which run and attempt it is."""
    return {
        "CRONSTREAM_RUN_ID": run.id,
        "CRONSTREAM_JOB": run.job,
        "CRONSTREAM_CLUSTER": run.cluster,
        "CRONSTREAM_ATTEMPT": str(run.attempt),
        "CRONSTREAM_MAX_ATTEMPTS": str(run.max_attempts),
        "CRONSTREAM_SCHEDULED_AT": format_time(run.scheduled_at),
        **_of_previous(run.previous),
    }


def _of_previous(previous: Previous | None) -> dict[str, str]:
    """Return what a command knows of the run that its own follows."""
    if previous is None:
        return {}
    return {
        "CRONSTREAM_PREVIOUS_RUN_ID": previous.run,
        "CRONSTREAM_PREVIOUS_JOB": previous.run.partition("@")[0],
        "CRONSTREAM_PREVIOUS_VERDICT": previous.verdict.value,
        "CRONSTREAM_PREVIOUS_ATTEMPT": str(previous.attempt),
        "CRONSTREAM_PREVIOUS_REASON": previous.reason or "",
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
