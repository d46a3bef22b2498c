"""Whether commands went on after the process that had them started was gone: pure."""

from collections.abc import Iterator
from datetime import timedelta

from chaos.judge import Evidence, Finding, Wrong

#: An executor gives what it ends a second before KILL, and a busy machine takes its time.
_END_WITHIN = timedelta(seconds=5)


def orphans(evidence: Evidence) -> Iterator[Finding]:
    """Yield each command that came to its own end though its worker had ended before."""
    for execution in evidence.executions:
        gone_at = evidence.ends.get(execution.process)
        if gone_at and execution.ended_at and execution.ended_at > gone_at + _END_WITHIN:
            over_s = (execution.ended_at - gone_at).total_seconds()
            text = f"attempt {execution.attempt} went on for {over_s:.0f} s after its worker's end"
            yield Finding(Wrong.ORPHAN, execution.run, text)
