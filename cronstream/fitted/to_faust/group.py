"""Whether a process is in its consumer group: from Faust, and from aiokafka below it.

Faust does not say so itself: after an exception in the coordinator a process lives on outside
the group (a zombie), and after a hung recovery it does nothing more.

Who owns what, a member does not know either: the leader shares out, and gives each its own. The
group's coordinator, which is a broker, knows all members and what each was given.
"""

import contextlib
from collections.abc import Iterable
from typing import Any

from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import GroupAuthorizationFailedError, for_code

from cronstream import clock
from cronstream.fitted.to_aiokafka.clients import is_member, member_id, pending_error
from cronstream.settings import Settings
from cronstream.topology.client import new_admin

#: The state of a group whose members have all been given what is theirs.
_STABLE = "Stable"


class FaustGroup:
    """The group of a Faust app; it reads what belongs to another thread, and changes nothing."""

    def __init__(self, app: Any, settings: Settings) -> None:
        self._app, self._settings = app, settings
        self._admin: Any = None
        self.thread_at = float("-inf")
        self.outside_since: float | None = None
        self.outside_why = ""
        self.rebalancing_since: float | None = None
        self.restoring_since: float | None = None
        self._progress: Any = None

    def begin(self, now_mono: float) -> None:
        """From now on it is to become a member, and the thread is to turn."""
        self.thread_at = self.outside_since = now_mono

    def look(self, now_mono: float) -> None:
        """Bring what is known up to date, and ask the thread to say that it turns."""
        thread = self._app.consumer._thread
        with contextlib.suppress(RuntimeError):  # its loop is closed: it turns no more
            thread.thread_loop.call_soon_threadsafe(self._note_turn)
        self.outside_why = _refusal(thread._consumer, self._app.conf.id)
        if is_member(thread._consumer):
            self.outside_since = None
        elif self.outside_since is None:
            self.outside_since = now_mono
        self._look_at_rebalance(now_mono)

    async def unowned(self, topic: str, partitions: int) -> set[int]:
        """Ask the coordinator which partitions no other member owns; none during a rebalance.

        What this process was given, and has not, is owned by nobody: it is not counted as its own.

        Raises:
            KafkaError: If the coordinator does not know, for the moment.
        """
        if self._admin is None:
            admin = new_admin(self._settings)
            await admin.start()
            self._admin = admin
        [answer] = await self._admin.describe_consumer_groups([self._app.conf.id])
        [described] = answer.to_object()["groups"]
        if described["error_code"]:
            raise for_code(described["error_code"])
        if described["state"] != _STABLE:
            return set()
        me = member_id(self._app.consumer._thread._consumer)
        return set(range(partitions)) - _owned_by_others(described["members"], topic, me)

    async def stop(self) -> None:
        """Disconnect."""
        if self._admin is not None:
            await self._admin.close()

    def _note_turn(self) -> None:
        self.thread_at = clock.monotonic()

    def _look_at_rebalance(self, now_mono: float) -> None:
        app = self._app
        self.restoring_since = app.tables.recovery.restoring_since
        if not app.rebalancing:
            self.rebalancing_since = self._progress = None
            return
        progress = (app.rebalancing_count, app.tables.recovery.progress)
        if progress != self._progress:
            self._progress, self.rebalancing_since = progress, now_mono


def _refusal(consumer: Any, group: str) -> str:
    """Return why it is no member, as far as Kafka has said so."""
    error = pending_error(consumer)
    if isinstance(error, GroupAuthorizationFailedError):
        return f"Kafka does not allow this user to: grant Read on group {group}"
    return "" if error is None else type(error).__name__


def _owned_by_others(members: Iterable[dict[str, Any]], topic: str, me: str) -> set[int]:
    return {
        place.partition
        for member in members
        if member["member_id"] != me and member["member_assignment"]
        for place in _decode(member["member_assignment"]).partitions()
        if place.topic == topic
    }


def _decode(assignment: bytes) -> ConsumerProtocolMemberAssignment:
    decoded: ConsumerProtocolMemberAssignment = ConsumerProtocolMemberAssignment.decode(assignment)
    return decoded
