import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from cronstream.executor import holds as module
from cronstream.executor.holds import REMEMBERED_S, Holds
from cronstream.executor.protocol import Hold
from tests.executor.witness import a_hold

LEASED_UNTIL = 100.0


def with_lease(*holds: Hold) -> Holds:
    waiting = Holds()
    waiting.lease("p", LEASED_UNTIL)
    for hold in holds:
        waiting.hold(hold)
    return waiting


def popped(waiting: Holds, now: float = 10.0, monotonic: float = 0.0) -> list[str]:
    """Return what starts at once; what needs a go-ahead is given its slot meanwhile."""
    keys = [hold.key for hold in waiting.granted(monotonic=monotonic)]
    while hold := waiting.pop_due(now=now, monotonic=monotonic):
        if not waiting.waits_for_go(hold.key):
            keys.append(hold.key)
    return keys


def test_starts_go_by_due_time_and_then_by_arrival() -> None:
    waiting = with_lease(*(a_hold(key=key, at=at) for key, at in [("c", 2), ("b", 1), ("a", 1)]))
    assert popped(waiting) == ["b", "a", "c"]


def test_nothing_starts_before_it_is_due() -> None:
    waiting = with_lease(a_hold(key="k", at=10.0))
    assert popped(waiting, now=9.999) == []
    assert waiting.next_at() == 10.0
    assert popped(waiting, now=10.0) == ["k"]
    assert waiting.next_at() is None


def test_without_a_lease_nothing_starts() -> None:
    waiting = Holds()
    waiting.hold(a_hold(key="k"))
    assert popped(waiting) == []
    waiting.lease("other", LEASED_UNTIL)
    assert popped(waiting) == []


def test_a_lease_ends_at_its_moment_and_a_newer_one_lets_what_waited_go_in_order() -> None:
    waiting = with_lease(a_hold(key="b", at=2), a_hold(key="a", at=1))
    assert popped(waiting, monotonic=LEASED_UNTIL) == []
    waiting.lease("p", LEASED_UNTIL + 1)
    assert popped(waiting, monotonic=LEASED_UNTIL) == ["a", "b"]


def test_a_partition_without_a_lease_holds_up_no_other() -> None:
    waiting = with_lease(a_hold(key="a", partition="q", at=1), a_hold(key="b", at=2))
    assert popped(waiting) == ["b"]


def test_a_lease_can_be_cut_short() -> None:
    waiting = with_lease(a_hold())
    waiting.lease("p", 5.0)
    assert popped(waiting, monotonic=5.0) == []


def test_a_hold_without_go_waits_for_it_and_keeps_its_place() -> None:
    waiting = with_lease(a_hold(key="a", go=False), a_hold(key="b"))
    waiting.go("a")
    waiting.go("a")
    waiting.go("b")
    waiting.go("never heard of")
    assert popped(waiting) == ["a", "b"]


def test_without_its_go_it_gets_a_slot_in_its_turn_and_does_not_start() -> None:
    waiting = with_lease(a_hold(key="a", at=2, go=False), a_hold(key="b", at=1))
    assert waiting.next_at() == 1
    assert popped(waiting) == ["b"]
    assert (waiting.has_slot("a"), waiting.has_slot("b"), waiting.slots) == (True, False, 1)
    assert waiting.next_at() is None
    waiting.go("a")
    assert (waiting.has_slot("a"), waiting.slots) == (True, 1)
    assert popped(waiting) == ["a"]
    assert waiting.slots == 0


def test_what_has_a_slot_and_its_go_waits_for_a_lease_all_the_same() -> None:
    waiting = with_lease(a_hold(key="a", go=False))
    assert popped(waiting) == []
    waiting.go("a")
    assert popped(waiting, monotonic=LEASED_UNTIL) == []
    assert waiting.has_slot("a")
    waiting.lease("p", LEASED_UNTIL + 1)
    assert popped(waiting, monotonic=LEASED_UNTIL) == ["a"]


@pytest.mark.parametrize("may_go", [False, True])
def test_what_has_a_slot_can_be_cancelled(may_go: bool) -> None:
    waiting = with_lease(a_hold(key="a", go=False))
    assert popped(waiting) == []
    if may_go:
        waiting.go("a")
    assert waiting.cancel("a", monotonic=0.0)
    assert (waiting.has_slot("a"), popped(waiting)) == (False, [])


def test_a_key_is_taken_once_waiting_running_and_ended() -> None:
    hold = a_hold(key="k")
    waiting = with_lease(hold)
    assert not waiting.hold(hold)
    assert popped(waiting) == ["k"]
    assert not waiting.hold(hold)
    waiting.ended("k", monotonic=1.0)
    assert not waiting.hold(hold)
    assert popped(waiting) == []


def test_what_never_started_is_cancelled_for_good() -> None:
    hold = a_hold(key="k")
    waiting = with_lease(hold)
    assert waiting.cancel("k", monotonic=0.0)
    assert waiting.cancel("k", monotonic=0.0)
    assert not waiting.hold(hold)
    assert popped(waiting) == []


def test_what_waits_for_go_or_for_a_lease_can_be_cancelled() -> None:
    waiting = Holds()
    waiting.hold(a_hold(key="no lease"))
    assert popped(waiting) == []
    waiting.hold(a_hold(key="no go", go=False))
    assert waiting.cancel("no lease", monotonic=0.0)
    assert waiting.cancel("no go", monotonic=0.0)
    waiting.lease("p", LEASED_UNTIL)
    waiting.go("no go")
    assert popped(waiting) == []


def test_what_has_started_is_not_cancelled_running_or_ended() -> None:
    waiting = with_lease(a_hold(key="k"))
    assert popped(waiting) == ["k"]
    assert not waiting.cancel("k", monotonic=0.0)
    waiting.ended("k", monotonic=1.0)
    assert not waiting.cancel("k", monotonic=2.0)


def test_a_hold_behind_its_cancellation_is_refused() -> None:
    waiting = with_lease()
    assert waiting.cancel("k", monotonic=0.0)
    assert not waiting.hold(a_hold(key="k"))


def test_a_key_is_forgotten_an_hour_after_its_end_and_not_after_its_start() -> None:
    waiting = with_lease(a_hold(key="k"))
    assert popped(waiting) == ["k"]
    waiting.cancel("x", monotonic=2 * REMEMBERED_S)
    assert not waiting.hold(a_hold(key="k"))
    waiting.ended("k", monotonic=2 * REMEMBERED_S)
    waiting.cancel("y", monotonic=3 * REMEMBERED_S - 0.1)
    assert not waiting.hold(a_hold(key="k"))
    waiting.cancel("z", monotonic=3 * REMEMBERED_S)
    assert waiting.hold(a_hold(key="k"))


def test_memory_of_keys_is_bounded() -> None:
    waiting = Holds()
    for number in range(module.MOST_REMEMBERED + 2):
        waiting.cancel(f"{number}", monotonic=0.0)
    assert waiting.hold(a_hold(key="1"))
    assert not waiting.hold(a_hold(key="2"))


def test_once_cleared_nothing_starts() -> None:
    waiting = with_lease(a_hold(), a_hold(go=False))
    waiting.clear()
    assert len(waiting) == 0
    assert popped(waiting) == []


KEYS = st.sampled_from("abcde")
STEP_S = st.integers(1, 4)


class EachKeyStartsOnce(RuleBasedStateMachine):
    """Whatever is told, a key starts once, unless cancelled, and only with its go and a lease."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting = Holds()
        self.clock = 0.0
        self.until = float("-inf")
        self.held: set[str] = set()
        self.allowed: set[str] = set()
        self.started: set[str] = set()
        self.cancelled: set[str] = set()

    @rule(key=KEYS, at=STEP_S, go=st.booleans())
    def hold(self, key: str, at: int, go: bool) -> None:
        was_taken = self.waiting.hold(a_hold(key=key, at=float(at), go=go))
        assert was_taken == (key not in self.held | self.cancelled)
        if was_taken:
            self.held.add(key)
            self.allowed.update({key} if go else ())

    @rule(key=KEYS)
    def go(self, key: str) -> None:
        self.waiting.go(key)
        self.allowed.update({key} & self.held)

    @rule(key=KEYS)
    def cancel(self, key: str) -> None:
        never_started = self.waiting.cancel(key, monotonic=self.clock)
        assert never_started == (key not in self.started)
        self.cancelled.update({key} - self.started)

    @rule(key=KEYS)
    def ended(self, key: str) -> None:
        if key in self.started:
            self.waiting.ended(key, monotonic=self.clock)

    @rule(for_s=STEP_S)
    def lease(self, for_s: int) -> None:
        self.until = self.clock + for_s
        self.waiting.lease("p", self.until)

    @rule(for_s=STEP_S)
    def wait(self, for_s: int) -> None:
        self.clock += for_s

    @rule()
    def take(self) -> None:
        for granted in self.waiting.granted(monotonic=self.clock):
            self._see(granted)
        hold = self.waiting.pop_due(now=self.clock, monotonic=self.clock)
        if hold and self.waiting.waits_for_go(hold.key):
            assert hold.key not in self.allowed | self.cancelled
        elif hold:
            self._see(hold)

    def _see(self, hold: Hold) -> None:
        assert hold.at <= self.clock < self.until
        assert hold.key in self.allowed - self.started - self.cancelled
        self.started.add(hold.key)

    def teardown(self) -> None:
        """In the end all start that may."""
        self.waiting.lease("p", self.clock + 1)
        rest = popped(self.waiting, now=10.0, monotonic=self.clock)
        assert sorted(rest) == sorted(self.allowed - self.started - self.cancelled)


TestEachKeyStartsOnce = EachKeyStartsOnce.TestCase
