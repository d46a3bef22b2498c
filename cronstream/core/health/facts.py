"""The facts about a process as ``/health`` shows them."""

from collections.abc import Mapping
from typing import Any

from cronstream.core.health.judging import Facts, SchedulerFacts


def describe(facts: Facts, now_mono: float) -> dict[str, Any]:
    """Return the facts as people and machines read them: moments as seconds ago."""
    role = facts.role
    told: dict[str, Any] = {
        "broker_answered_s": _ago(facts.broker_at, now_mono),
        "consumer_turned_s": _ago(facts.thread_at, now_mono),
        "in_group": facts.outside_since is None,
        "rebalancing_s": _ago(facts.rebalancing_since, now_mono),
        "restoring_s": _ago(facts.restoring_since, now_mono),
        "unacknowledged_s": _ago(facts.waiting_since, now_mono),
        "unowned_s": _each_ago(facts.unowned, now_mono),
    }
    if isinstance(role, SchedulerFacts):
        told["tick_s"] = _ago(role.tick_at, now_mono)
        told["shards_heard_s"] = _each_ago(role.heard, now_mono)
        told["shards_published_s"] = _each_ago(role.shards, now_mono)
        told["clock_is_refused"] = role.clock_is_refused
    else:
        told["turned_s"] = _ago(role.turned_at, now_mono)
        told["has_executor"] = role.has_executor
        told["unready_s"] = _each_ago(role.unready, now_mono)
        told["unread_s"] = _each_ago(role.unread, now_mono)
        told["truncated_s"] = _each_ago(role.truncated, now_mono)
        told["late_runs"] = 0 if role.late is None else role.late.count
        told["latest_s"] = 0.0 if role.late is None else round(role.late.oldest_s, 1)
    return told


def _ago(at: float | None, now: float) -> float | None:
    return None if at is None else round(now - at, 1)


def _each_ago(moments: Mapping[int, float], now: float) -> dict[str, float]:
    return {str(number): round(now - at, 1) for number, at in moments.items()}
