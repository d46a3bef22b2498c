"""Which changes of a log a worker notes: counts, logs, traces, has webhooks hear of.

The log itself says so: a change is the first owner's that has put something on it behind the
change. So it is noted once, whoever reads it how often, and however workers come, go, hang and come
back: each notes what stands before its own word, once that is read back, and puts aside what stands
before another owner's. What comes while nobody owns the partition is the next owner's, whose
`Owned` is a word as well.

An owner's word is mostly there: its claim, a start, an end. Where it has nothing to say, as of due
times that were skipped, it says that it is there. What is lost is what one that is killed had its
word behind, and had not read back: that of some milliseconds.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from cronstream.core.protocol.member import Member
from cronstream.core.wire.entries import (
    Claimed,
    Entry,
    Finished,
    Forwarded,
    Heartbeat,
    Lost,
    Owned,
    Released,
    Skipped,
    Started,
)

#: So many messages of a partition wait, at most, until it is known whose they are.
_WAITING: Final = 10_000
#: What waits for longer has the owner say that it is there.
WORD_WITHIN_S: Final = 0.5
#: By these a worker becomes the owner, in the eyes of the log: nobody else claims.
_MAKE_OWNER: Final = (Owned, Claimed)
#: The owner's, though they do not name it.
_OF_OWNER: Final = (Forwarded, Skipped, Lost)
#: Of the worker that they name, which may be a former owner.
_OF_WORKER: Final = (Claimed, Released, Started, Finished, Heartbeat)

#: Notes what one message has changed.
Note: TypeAlias = Callable[[], None]


@dataclass(slots=True)
class _Partition:
    """What is known of a partition's log.

    Attributes:
        owner: Who owns it, up to where it was read; None if that does not say so.
        awaited: The number of this worker's own `Owned` that it has not read back; 0 if it has.
        read: The offset that was read last.
        waiting: What nobody has put a word behind.
        since: When the first of it came, or a word was asked for (monotonic seconds).
    """

    owner: str | None = None
    awaited: int = 0
    read: int = -1
    waiting: deque[Note] = field(default_factory=lambda: deque(maxlen=_WAITING))
    since: float = 0.0

    def hears(self, entry: Entry) -> bool:
        """Whether the owner says something by an entry, or another becomes the owner by it."""
        if isinstance(entry, _MAKE_OWNER) and not _is_borrowed(entry):
            self.owner = entry.worker
            return True
        if isinstance(entry, _OF_WORKER):
            return self.owner in (None, entry.worker)
        return isinstance(entry, _OF_OWNER)


def _is_borrowed(entry: Owned | Claimed) -> bool:
    """Whether it is a claim of somebody who has a slot, and not the partition (rule 26)."""
    return isinstance(entry, Claimed) and entry.borrowed


class Tenure:
    """Has each change noted that is the worker's to note."""

    def __init__(self, member: Member) -> None:
        self._member = member
        self._partitions: dict[int, _Partition] = {}

    def loaded(self, partition: int, next_offset: int) -> None:
        """The fold begins again, from a snapshot or the start; what was read before stays so."""
        known = self._partitions.get(partition)
        if known is None or known.read + 1 < next_offset:
            self._partitions[partition] = _Partition()

    def assigned(self) -> None:
        """A rebalance is over; what it owns now, it reads until its next owner has said so."""
        for partition, owner in self._member.owners.items():
            self._await(partition, owner.number)

    def _await(self, partition: int, number: int) -> None:
        self._partitions[partition].awaited = number
        self._member.reading_on.add(partition)

    def folded(
        self, partition: int, offset: int, entries: list[Entry], note: Note | None, mono: float
    ) -> None:
        """A message was read; note what of it and those before it is now known to be our own.

        Args:
            partition: Of the worker's log.
            offset: Messages come in order; one that was read before changes nothing.
            entries: What is in it.
            note: Notes what it has changed; None if it has changed nothing.
            mono: Now, in monotonic seconds.
        """
        known = self._partitions.setdefault(partition, _Partition())
        if offset <= known.read:
            return
        known.read = offset
        if note is not None:
            known.since = known.since if known.waiting else mono
            known.waiting.append(note)
        if self._has_word(known, entries):
            self._settle(partition, known)

    def _has_word(self, known: _Partition, entries: list[Entry]) -> bool:
        has_word = False
        for entry in entries:
            has_word = known.hears(entry) or has_word
            if isinstance(entry, Owned) and entry.worker == self._member.me:
                known.awaited = 0 if entry.number >= known.awaited else known.awaited
        return has_word

    def _settle(self, partition: int, known: _Partition) -> None:
        is_mine = known.owner == self._member.me
        while known.waiting:
            note = known.waiting.popleft()
            if is_mine:
                note()
        if not (is_mine or known.awaited):
            self._member.reading_on.discard(partition)

    def speak(self, mono: float, within_s: float = WORD_WITHIN_S) -> None:
        """Have the worker say that it is there, where something waits so long for an owner's word.

        Where another was the last to say that it owns what is this worker's, it says so once more:
        the other's word has come late.
        """
        for partition, known in self._partitions.items():
            if not known.waiting or mono - known.since < within_s:
                continue
            if partition not in self._member.ledgers:
                known.waiting.clear()
            elif known.owner == self._member.me:
                known.since = mono
                self._member.say_here(partition, mono)
            elif (owner := self._member.owners.get(partition)) and owner.ready:
                known.since = mono
                self._await(partition, self._member.say_owned(partition))
