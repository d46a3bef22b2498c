"""A consumer group with eager rebalances: all is revoked, then given out again."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.process import Process
    from tests.simulation.stage import Stage

_SESSION_S = 1.5
#: Where nobody has come for so many tries, it takes longer to the next.
_MANY, _LONG_S = 100, 15.0


class Group:
    """Gives partitions to its members; one that is cut off or stopped learns of it late, or never.

    Attributes:
        owners: The member, and its boot, to which each partition was given last.
    """

    def __init__(self, world: Stage, partitions: int) -> None:
        self._world, self._loop, self._dice = world, world.loop, world.dice
        self._partitions = partitions
        self.members: list[Process] = []
        self.generation = 0
        self.owners: dict[int, tuple[Process, int]] = {}
        self.rebalancing = False
        self._tries = 0
        #: Members of this generation, with their boot.
        self._in: dict[Process, int] = {}

    def join(self, member: Process) -> None:
        """A member has started."""
        self._world.seen(member)
        self.rebalance()

    def leave(self, member: Process) -> None:
        """A member stops in good order."""
        self._in.pop(member, None)
        self.rebalance()

    def silent(self, member: Process) -> None:
        """A member has gone silent: after a session the others go on without it."""
        self._loop.at(self._loop.now + _SESSION_S, partial(self._expire, member, member.boot))

    def back(self, member: Process) -> None:
        """A member can be reached again: it learns where it stands."""
        if member.draining or not member.has_joined:
            return
        if self._in.get(member) != member.boot:
            member.revoked()
            self.rebalance()

    def _expire(self, member: Process, boot: int) -> None:
        gone = not member.fit or member.boot != boot
        if gone and self._in.get(member) == boot:
            del self._in[member]
            self.rebalance()

    def rebalance(self) -> None:
        """Begin again, unless one is under way."""
        if self.rebalancing:
            return
        self.rebalancing = True
        for member in list(self._in):
            call = partial(self._tell_revoked, member, self.generation)
            member.later(self._dice.random() * 0.2, call)
        longest = 1.5 if self._world.in_trouble else 0.3
        self._loop.at(self._loop.now + self._dice.uniform(0.05, longest), self._complete)

    def _tell_revoked(self, member: Process, generation: int) -> None:
        if not self.rebalancing or generation != self.generation or member.draining:
            return
        if member.fit:
            member.revoked()
        else:
            member.when_reached(partial(self._tell_revoked, member, generation))

    def _complete(self) -> None:
        fit = [m for m in self.members if m.fit and m.has_joined and not m.draining]
        if not fit:
            self._tries += 1
            again = 0.3 if self._tries < _MANY else _LONG_S
            self._loop.at(self._loop.now + again, self._complete)
            return
        self._tries = 0
        self.rebalancing = False
        self.generation += 1
        self._world.count["rebalances"] += 1
        self._in = {member: member.boot for member in fit}
        kept = self.owners if self._dice.random() < 0.6 else {}
        self.owners = {}
        for partition in range(self._partitions):
            member, boot = kept.get(partition, (None, 0))
            if member is None or self._in.get(member) != boot:
                member = self._dice.choice(fit)
            self.owners[partition] = (member, member.boot)
        for member in fit:
            call = partial(self._tell_assigned, member, self.generation)
            member.later(self._dice.random() * 0.3, call)

    def _tell_assigned(self, member: Process, generation: int) -> None:
        if generation != self.generation or self.rebalancing or member.draining:
            return
        if not member.fit:
            member.when_reached(partial(self._tell_assigned, member, generation))
            return
        if self._in.get(member) == member.boot:
            member.revoked()
            member.assigned(set(self.given_to(member)))

    def given_to(self, member: Process) -> Iterable[int]:
        """Return the partitions that a member was given last."""
        return (p for p, (m, boot) in self.owners.items() if m is member and boot == m.boot)
