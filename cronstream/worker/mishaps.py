"""What becomes of one run if something goes wrong with it in here: it ends in view.

None of this is expected to happen. But if it does, it concerns one run: that is logged with its
id and ends with a note that says why, and the worker goes on with the others.
"""

from datetime import datetime
from typing import Any

from cronstream.core.protocol.actions import Action, Append, Hand, Lease, Publish, run_and_claim
from cronstream.core.protocol.member import Member
from cronstream.core.wire.entries import Finished
from cronstream.core.wire.fitting import without_output
from cronstream.executor import protocol
from cronstream.logs import Fields, fields
from cronstream.worker.commands import to_failed


def failed(action: Action) -> tuple[str, dict[str, Any]]:
    """Return what is said of an action that failed, and what a log line has of it besides."""
    about = _about(action)
    [(what, which)] = about.items()
    return f"{what} {which}: {type(action).__name__} failed", fields("not-done", **about)


def _about(action: Action) -> Fields:
    """Return the run that an action is about, or else the partition."""
    match action:
        case Append(partition=partition, entry=entry):
            run = getattr(entry, "run", None)
            return {"partition": partition} if run is None else {"run": run}
        case Publish(run=run):
            return {"run": run}
        case Lease(partition=partition):
            return {"partition": partition}
        case _:
            return {"run": run_and_claim(action.key)[0]}


def end_in_view(member: Member, action: Action, why: Exception, now: datetime) -> None:
    """Have the run end with a note, if nothing else would end it."""
    reason = f"{type(why).__name__}: {why}"
    match action:
        case Append(partition=partition, entry=Finished() as end) if end.head or end.tail:
            told = without_output(end, f"what it wrote cannot be reported ({reason})")
            member.actions.append(Append(partition, told))
        case Hand(key=key):
            note = f"it could not be handed to an executor ({reason})"
            member.finished(key, to_failed(key, member.me, now, note))
        case _:
            pass


def unusable(member: Member, report: protocol.Report, why: Exception, now: datetime) -> None:
    """Have a run end whose executor has reported its end in a form that is no use."""
    if isinstance(report, protocol.Finished):
        note = f"its executor's report cannot be used ({type(why).__name__}: {why})"
        member.finished(report.key, to_failed(report.key, member.me, now, note))
