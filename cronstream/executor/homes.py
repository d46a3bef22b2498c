"""Which executor has which attempt, and what is known of those that are over: pure."""

from collections import OrderedDict
from typing import Generic, TypeVar

from cronstream.executor.protocol import Order

Home = TypeVar("Home")

#: Keys that are remembered when they are over: some megabytes.
_MOST_REMEMBERED = 50_000


class Homes(Generic[Home]):
    """For each key that was sent: where it is, or that it waits for a home, or how it ended.

    A key is taken once, in whatever executor; one that dies takes its own memory along.
    """

    def __init__(self) -> None:
        self._homes: dict[str, Home] = {}
        self._waiting: dict[str, list[Order]] = {}
        self._over: OrderedDict[str, bool] = OrderedDict()

    def __contains__(self, key: str) -> bool:
        return key in self._homes or key in self._waiting or key in self._over

    def of(self, key: str) -> Home | None:
        """Return who has it; None if nobody has."""
        return self._homes.get(key)

    def has_started(self, key: str) -> bool | None:
        """Return whether what is over had started, or may have; None if it is not over."""
        return self._over.get(key)

    def wait(self, key: str, order: Order) -> None:
        """Keep what is sent for a key until it has a home."""
        self._waiting.setdefault(key, []).append(order)

    def is_waiting(self, key: str) -> bool:
        """Whether it has no home yet."""
        return key in self._waiting

    def waiting(self) -> list[str]:
        """Return the keys without a home, in the order in which they were sent."""
        return list(self._waiting)

    def settle(self, key: str, home: Home) -> list[Order]:
        """Give a key its home; return what has been sent for it so far."""
        self._homes[key] = home
        return self._waiting.pop(key, [])

    def ended(self, key: str, *, has_started: bool) -> None:
        """Note that a key is over."""
        self._homes.pop(key, None)
        self._waiting.pop(key, None)
        self._over[key] = has_started
        if len(self._over) > _MOST_REMEMBERED:
            self._over.popitem(last=False)

    def died(self, home: Home) -> list[str]:
        """Note that a home is no more; return the keys that it had, which are over."""
        lost = [key for key, place in self._homes.items() if place is home]
        for key in lost:
            self.ended(key, has_started=True)
        return lost
