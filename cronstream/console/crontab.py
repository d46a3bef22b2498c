"""The page of the crontab: what is in force, each scheduler's file, and who has changed what."""

import re
from collections import Counter
from typing import Any, Final

from cronstream.console.sight import Sight
from cronstream.core.health.presence import Presence
from cronstream.core.wire.naming import RoleKind
from cronstream.history.fields import edit_fields

_EDITS: Final = 100


def crontab(sight: Sight) -> dict[str, Any]:
    """Return what is in force, which file each scheduler has read, and the newest revisions."""
    jobs = sight.installed.jobs.values()
    edits = sight.pasts.of(None, _EDITS)
    schedulers = [who for who in sight.there if who.role is RoleKind.SCHEDULER]
    # An edit of a comment puts no revision anywhere: so what is in force is what was read by the
    # one whose turn it is to put it in force, or else what the last revision was made of.
    in_turn = next((who.crontab for who in schedulers if _is_in_turn(who)), None)
    digest = in_turn or (_digest(edits[0].job.by) if edits else None)
    return {
        "jobs": len(jobs),
        "paused": sum(not job.enabled for job in jobs),
        "clusters": [
            {"cluster": name, "jobs": count}
            for name, count in sorted(Counter(job.cluster for job in jobs).items())
        ],
        "digest": digest,
        "schedulers": [_scheduler(who, digest) for who in schedulers],
        "revisions": [edit_fields(edit) for edit in edits],
        "gone_before": sight.pasts.gone_before,
    }


def _scheduler(who: Presence, digest: str | None) -> dict[str, Any]:
    return {
        "name": who.name,
        "file": who.crontab_file or None,
        "digest": who.crontab or None,
        "jobs": who.crontab_jobs,
        "problems": who.crontab_problems,
        "held": who.crontab_held or None,
        "differs": who.crontab_differs or [],
        "owns": who.owns,
        "state": _state(who, digest),
    }


def _is_in_turn(who: Presence) -> bool:
    """Whether a scheduler has shard 0, and nothing is in the way of what it has read."""
    has_first = re.match(r"0(?!\d)", who.owns) is not None
    return has_first and not (who.crontab_problems or who.crontab_held)


def _state(who: Presence, digest: str | None) -> str:
    """Return how what a scheduler has read is to what was put in force last."""
    if who.crontab_problems:
        return "has errors"
    if who.crontab_held:
        return "held back"
    if not who.crontab:
        return "not read"
    if digest is None or who.crontab == digest:
        return "in force"
    # It was compared, and only comments, the order or the like are others.
    return "says the same" if who.crontab_differs == [] else "differs"


def _digest(by: str | None) -> str | None:
    """Return of which text a scheduler has put a job in force: what stands behind its name."""
    name, _, digest = (by or "").partition(" ")
    return digest or None if name else None
