"""What two settings of a job say together: whether the one makes sense beside the other."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

from cronstream.core.crontab.faults import Fault
from cronstream.core.schedule.duration import format_duration
from cronstream.core.timing import Timing
from cronstream.core.wire.runs import Job

DEFAULT_LEASE_S: Final = Timing().lease_s
_DEFAULT_GRACE_S: Final[float] = Job("", "", "", "", "").grace_s


def pair_faults(
    settings: Mapping[str, Any], said: Collection[str], lease_s: float
) -> Iterator[Fault]:
    """Yield what does not go together; what a job has not said itself is its defaults' fault.

    Args:
        settings: What holds, under the file's names; a default that nobody has set may be missing.
        said: Which of them stand at the place that is checked.
        lease_s: Seconds without a heartbeat after which a worker is lost.
    """
    if "max_queue" in said and settings.get("overlap") != "queue":
        sentence = "max_queue needs 'overlap: queue' beside it; add that, or leave max_queue out"
        yield Fault(("max_queue",), sentence, is_key=True)
    if "max_running" in said and settings.get("overlap") not in ("skip", "queue"):
        sentence = (
            "max_running needs 'overlap: skip' or 'overlap: queue' beside it; add one of them, or "
            "leave max_running out"
        )
        yield Fault(("max_running",), sentence, is_key=True)
    if "drain" in said and settings["drain"] and settings.get("on_stop") == "interrupt":
        sentence = "drain is how long to wait, and 'on_stop: interrupt' waits for nothing"
        yield Fault(("drain",), f"{sentence}; take one of them out", is_key=True)
    if "shell" in said and settings["shell"] and isinstance(settings.get("command"), list):
        sentence = "shell is for a command in text, and a list is started without one; take it out"
        yield Fault(("shell",), sentence, is_key=True)
    grace_s = settings.get("grace", _DEFAULT_GRACE_S)
    longest_s = Timing(lease_s=lease_s).longest_fenced_grace_s
    is_fenced = settings.get("fence") and ("fence" in said or "grace" in said)
    if is_fenced and grace_s > longest_s:
        yield _fence_fault(grace_s, longest_s, lease_s, "grace" if "grace" in said else "fence")


def _fence_fault(grace_s: float, longest_s: float, lease_s: float, key: str) -> Fault:
    lease = f"a lease of {format_duration(lease_s)}"
    if longest_s < 0:
        return Fault((key,), f"fence true needs more than {lease}; raise CRONSTREAM_LEASE_S")
    longest, grace = format_duration(longest_s), format_duration(grace_s)
    if key == "grace":
        what = f"grace {grace} is too long for 'fence: true', which leaves {longest} of {lease}"
        return Fault((key,), f"{what}; shorten it")
    what = f"fence true leaves {longest} of {lease} for 'grace', which is {grace}"
    return Fault((key,), f"{what}; write 'grace: {longest}' or less")
