"""Which faults are to be inflicted, on whom, and when: a pure function of a seed."""

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


class FaultKind(StrEnum):
    """What a person chooses with ``--faults``."""

    KILL = "kill"
    PAUSE = "pause"
    TERM = "term"
    BROKER = "broker"
    HANG = "hang"
    SCALE = "scale"
    POISON = "poison"
    DISK = "disk"
    EDIT = "edit"


class Target(StrEnum):
    """Who is struck."""

    SCHEDULER = "scheduler"
    WORKER = "worker"
    RETRY_WORKER = "retry worker"
    BROKER = "broker"
    #: The broker that leads the quorum.
    CONTROLLER = "controller"
    TOPICS = "topics"


class Instant(StrEnum):
    """What the ledger must have said a moment ago when the fault strikes."""

    ANY = "at any time"
    PUBLISHED = "just after a run was published"
    CLAIMED = "between claim and start"
    STARTED = "just after a start"
    FINISHED = "between finish and decision"
    HERD = "when hundreds are due"


class Reach(StrEnum):
    """How much of a part is struck."""

    PROCESS = "the process alone"
    #: As if its machine had gone, or stood still.
    TREE = "all of it"
    EXECUTOR = "its executor"
    #: Alone, with orders that its executors have not read.
    ORDERS = "the process alone, in the midst of orders"


_LABELS = {
    FaultKind.SCALE: "add and remove worker",
    FaultKind.EDIT: "edit a scheduler's file",
}


@dataclass(frozen=True, slots=True)
class Card:
    """A fault without its time.

    Attributes:
        lasts_s: How long a part stands still, or stays away before it is started again.
    """

    kind: FaultKind
    target: Target
    instant: Instant = Instant.ANY
    reach: Reach = Reach.PROCESS
    lasts_s: float = 3.0

    @property
    def label(self) -> str:
        """What the table of figures calls faults of this sort."""
        if self.reach is Reach.EXECUTOR:
            return f"{self.kind} executor of {self.target}"
        match self.kind:
            case FaultKind.PAUSE:
                return f"pause {self.target} {self.lasts_s:.0f} s"
            case FaultKind.BROKER:
                return f"{'kill' if self.reach is Reach.TREE else 'restart'} {self.target}"
            case FaultKind.DISK:
                return f"full disk of {self.target}"
            case _:
                return _LABELS.get(self.kind) or f"{self.kind} {self.target}"

    @property
    def is_harmless(self) -> bool:
        """Whether it is to harm nobody: it costs no lease, and excuses no late start."""
        is_of_disk = self.kind is FaultKind.DISK and self.target is not Target.BROKER
        return is_of_disk or self.kind in (FaultKind.POISON, FaultKind.EDIT)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of the plan.

    Attributes:
        number: From 1, in the order of the plan.
        at_s: Seconds from the beginning at which its instant is waited for.
        cluster: Whose worker it strikes.
    """

    number: int
    at_s: float
    card: Card
    cluster: str


_K, _P, _T = FaultKind.KILL, FaultKind.PAUSE, FaultKind.TERM
_S, _W, _R = Target.SCHEDULER, Target.WORKER, Target.RETRY_WORKER

#: Pauses are shorter than a lease, longer than it, and longer than session and rebalance together.
CARDS: tuple[Card, ...] = (
    Card(_K, _S, Instant.PUBLISHED),
    Card(_K, _S, Instant.HERD, Reach.TREE),
    Card(_K, _W, Instant.CLAIMED),
    Card(_K, _W, Instant.CLAIMED, Reach.TREE),
    Card(_K, _W, Instant.STARTED),
    Card(_K, _W, Instant.FINISHED),
    Card(_K, _W, Instant.HERD),
    Card(_K, _W, Instant.STARTED, Reach.EXECUTOR),
    Card(_K, _W, Instant.STARTED, Reach.ORDERS),
    Card(_K, _R, Instant.STARTED),
    Card(_K, _R, Instant.FINISHED),
    Card(_P, _S, lasts_s=7.0),
    Card(_P, _S, Instant.PUBLISHED, lasts_s=15.0),
    Card(_P, _W, Instant.CLAIMED, lasts_s=3.0),
    Card(_P, _W, Instant.STARTED, lasts_s=7.0),
    Card(_P, _W, Instant.FINISHED, Reach.TREE, lasts_s=7.0),
    Card(_P, _W, Instant.CLAIMED, lasts_s=15.0),
    Card(_P, _W, Instant.STARTED, Reach.TREE, lasts_s=15.0),
    Card(_P, _R, Instant.STARTED, Reach.TREE, lasts_s=7.0),
    Card(_T, _S),
    Card(_T, _W, Instant.STARTED),
    Card(_T, _W, Instant.HERD),
    Card(_T, _R, Instant.STARTED),
    Card(FaultKind.BROKER, Target.BROKER, Instant.ANY, Reach.PROCESS, 1.0),
    Card(FaultKind.BROKER, Target.BROKER, Instant.CLAIMED, Reach.TREE, 2.0),
    Card(FaultKind.BROKER, Target.CONTROLLER, Instant.HERD, Reach.TREE, 5.0),
    Card(FaultKind.HANG, Target.BROKER, lasts_s=15.0),
    Card(FaultKind.HANG, Target.CONTROLLER, Instant.HERD, lasts_s=40.0),
    Card(FaultKind.SCALE, _W, Instant.ANY, Reach.PROCESS, 12.0),
    Card(FaultKind.POISON, Target.TOPICS),
    Card(FaultKind.POISON, Target.TOPICS, Instant.HERD),
    Card(FaultKind.DISK, _S, Instant.PUBLISHED, lasts_s=8.0),
    Card(FaultKind.DISK, _W, Instant.STARTED, lasts_s=8.0),
    Card(FaultKind.DISK, _R, Instant.STARTED, lasts_s=8.0),
    Card(FaultKind.DISK, Target.BROKER, Instant.CLAIMED, lasts_s=2.0),
    Card(FaultKind.EDIT, _S),
    Card(FaultKind.EDIT, _S, Instant.HERD),
)

#: Seconds before the first fault, between two of them as a rule, and without one at the end.
_BEFORE_S = 4.0
EVERY_S = 7.0
_AFTER_S = 4.0


def make_plan(
    seed: int,
    duration_s: float,
    kinds: Collection[FaultKind],
    clusters: Sequence[str],
    brokers: int,
    every_s: float = EVERY_S,
) -> tuple[Fault, ...]:
    """Return the faults of a run of chaos, in the order of time.

    All sorts come before any comes again, so that a long run has as many of each.
    """
    dice = random.Random(seed)  # noqa: S311 - a plan is to be repeatable, not secret
    cards = [card for card in CARDS if card.kind in kinds and _fits(card, brokers)]
    faults: list[Fault] = []
    at_s = _BEFORE_S
    deck = _deal(cards, dice)
    while cards and at_s <= duration_s - _AFTER_S:
        faults.append(Fault(len(faults) + 1, at_s, next(deck), dice.choice(clusters)))
        at_s += every_s * dice.uniform(0.7, 1.3)
    return tuple(faults)


def _fits(card: Card, brokers: int) -> bool:
    """Whether there is such a target: the only broker is its own controller."""
    return card.target is not Target.CONTROLLER or brokers > 1


def _deal(cards: Sequence[Card], dice: random.Random) -> Iterator[Card]:
    while True:
        yield from dice.sample(cards, len(cards))
