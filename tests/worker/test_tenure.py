"""Each change of a log is noted by one worker, whoever reads it how often."""

import random
from collections.abc import Iterable
from functools import partial

import pytest

from cronstream.core.ledger.fold import Ledger
from cronstream.core.protocol.actions import Append
from cronstream.core.protocol.member import Member
from cronstream.core.timing import Timing
from cronstream.core.wire.entries import Claimed, Entry, Forwarded, Heartbeat, Level, Owned
from cronstream.worker.tenure import WORD_WITHIN_S, Tenure
from tests.builders import NAMES, NOON


class Cluster:
    """Workers that share partition 0, each with its own way through the log."""

    def __init__(self, *names: str) -> None:
        self.log: list[list[Entry]] = []
        self.members: dict[str, Member] = {}
        self.tenures: dict[str, Tenure] = {}
        self.noted: dict[int, list[str]] = {}
        self.mono = 0.0
        for name in names:
            self.start(name)

    def start(self, name: str) -> None:
        self.members[name] = member = Member(name, NAMES.topics_of("cluster-a"), Timing())
        self.tenures[name] = Tenure(member)

    def append(self, *entries: Entry) -> int:
        """Put a message on the log; without entries, one that is nobody's word."""
        self.log.append(list(entries) or [Level(level=1)])
        return len(self.log) - 1

    def read(self, *names: str, up_to: int | None = None) -> None:
        """Have workers fold what they have of the log, up to its end or to an offset."""
        for name in names or self.members:
            member, end = self.members[name], len(self.log) if up_to is None else up_to
            while (ledger := member.ledgers.get(0)) and ledger.book.next_offset < end:
                offset = ledger.book.next_offset
                entries = self.log[offset]
                member.read(0, offset, NOON, entries, self.mono)
                note = partial(self._note, offset, name)
                self.tenures[name].folded(0, offset, entries, note, self.mono)

    def _note(self, offset: int, name: str) -> None:
        self.noted.setdefault(offset, []).append(name)

    def revoke(self, *names: str) -> None:
        for name in names or self.members:
            self.members[name].revoked()

    def assign(self, to: str, *, others: Iterable[str] | None = None) -> None:
        for name in [to, *(self.members.keys() - {to} if others is None else others)]:
            self.members[name].assigned([0] if name == to else [], partial(self._load, name))
            self.tenures[name].assigned()
            self.say(name)

    def speak(self, *names: str) -> None:
        """Let so much time pass that who owes a word puts it on the log."""
        self.mono += WORD_WITHIN_S
        for name in names or self.members:
            self.tenures[name].speak(self.mono)
            self.say(name)

    def say(self, name: str) -> None:
        """Put on the log what a worker has to say."""
        actions, self.members[name].actions = self.members[name].actions, []
        for action in actions:
            if isinstance(action, Append):
                self.append(action.entry)

    def _load(self, name: str, _: int) -> Ledger:
        self.tenures[name].loaded(0, 0)
        return Ledger(retry=False)

    def end(self) -> None:
        """Have all settled that is on the log by now."""
        self.read()
        self.speak()
        self.read()

    def is_exact(self) -> bool:
        return {n: len(by) for n, by in self.noted.items()} == dict.fromkeys(
            range(len(self.log)), 1
        )


@pytest.fixture
def cluster() -> Cluster:
    """One in which ``a`` has the partition, and has noted all up to offset 2."""
    cluster = Cluster("a", "b")
    cluster.append()
    cluster.assign("a")
    cluster.append(Heartbeat(worker="a", number=9))
    cluster.read()
    assert cluster.noted == {0: ["a"], 1: ["a"], 2: ["a"]}
    return cluster


def test_what_comes_while_nobody_owns_a_log_is_its_next_owners() -> None:
    cluster = Cluster("a")
    cluster.append()
    cluster.append()
    cluster.assign("a")
    cluster.read()

    assert cluster.is_exact()


def test_what_nobody_has_put_a_word_behind_is_noted_by_nobody_yet(cluster: Cluster) -> None:
    cluster.append()
    cluster.append(Heartbeat(worker="b", number=1))
    cluster.read()
    assert 3 not in cluster.noted

    cluster.append(Claimed(run="r", version=1, worker="a", number=10))
    cluster.read()
    assert cluster.is_exact()
    assert cluster.noted[3] == ["a"]


def test_an_owner_with_nothing_to_say_says_that_it_is_there(cluster: Cluster) -> None:
    cluster.append()
    cluster.read()
    cluster.tenures["a"].speak(cluster.mono + WORD_WITHIN_S / 2)
    cluster.say("a")
    assert len(cluster.log) == 4

    cluster.speak()
    assert cluster.log[4][0] == Heartbeat(worker="a", number=2)
    cluster.speak("a")  # Each half second, until it is read back.
    cluster.read()
    assert cluster.is_exact()


def test_an_owner_says_nothing_where_there_is_nothing_to_note(cluster: Cluster) -> None:
    number = cluster.append()
    cluster.members["a"].read(0, number, NOON, cluster.log[number], 0.0)
    cluster.tenures["a"].folded(0, number, cluster.log[number], None, 0.0)
    cluster.speak()

    assert len(cluster.log) == number + 1


def test_what_only_an_owner_decides_is_its_word(cluster: Cluster) -> None:
    cluster.append()
    cluster.append(Forwarded(run="r", version=1))
    cluster.read()

    assert cluster.is_exact()


def test_a_takeover_notes_nothing_that_it_reads_again(cluster: Cluster) -> None:
    cluster.revoke()
    cluster.append(Heartbeat(worker="a", number=10))
    cluster.read("a")
    cluster.assign("b")
    cluster.append()
    cluster.end()

    assert cluster.is_exact()
    assert cluster.noted[3] == ["a"]
    assert cluster.noted[4] == cluster.noted[5] == ["b"]


def test_what_comes_behind_the_last_word_of_an_owner_that_dies_is_the_next_ones(
    cluster: Cluster,
) -> None:
    cluster.append()
    cluster.read("a")
    del cluster.members["a"]
    cluster.append()
    cluster.assign("b")
    cluster.read()

    assert cluster.is_exact()
    assert cluster.noted[3] == cluster.noted[4] == ["b"]


def test_who_hangs_while_another_takes_over_notes_nothing_of_that_ones(cluster: Cluster) -> None:
    cluster.append()
    cluster.assign("b", others=[])  # Which ``a`` does not know.
    cluster.append()
    cluster.read("a")
    cluster.speak("a")
    cluster.read()
    cluster.append()
    cluster.assign("b")
    cluster.end()

    assert cluster.is_exact()
    assert cluster.noted[3] == ["b"]


def test_a_former_owner_reads_on_until_the_next_one_has_said_so(cluster: Cluster) -> None:
    cluster.revoke()
    assert cluster.members["a"].to_follow() == {0}
    cluster.members["a"].assigned([], lambda _: Ledger(retry=False))
    cluster.append()
    cluster.append(Heartbeat(worker="a", number=10))
    assert cluster.members["a"].to_follow() == {0}
    cluster.read("a")
    assert cluster.noted[3] == ["a"]

    cluster.assign("b", others=[])
    cluster.end()
    assert cluster.is_exact()
    assert cluster.members["a"].to_follow() == set()


@pytest.mark.parametrize("after", ["a", "b"])
def test_a_rejoin_notes_each_change_once_whoever_has_it_then(cluster: Cluster, after: str) -> None:
    cluster.revoke()
    cluster.append()
    cluster.read()
    cluster.append()
    cluster.assign(after)
    cluster.append()
    cluster.end()

    assert cluster.is_exact()


def test_a_word_that_comes_late_is_answered_by_the_owner(cluster: Cluster) -> None:
    cluster.append(Owned(worker="gone", number=1))
    cluster.append()
    cluster.read()
    assert 4 not in cluster.noted

    cluster.end()
    assert isinstance(cluster.log[5][0], Owned)
    assert cluster.noted[4] == ["a"]
    cluster.append(Heartbeat(worker="a", number=10))
    cluster.read()
    assert cluster.noted[6] == ["a"]


def test_what_waits_is_bounded_and_let_go_of_with_the_partition(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cronstream.worker.tenure._WAITING", 2)
    other = Cluster("a")
    for _ in range(5):
        other.append()
    other.assign("a")
    other.read()
    assert other.noted == {4: ["a"], 5: ["a"]}

    cluster.append()
    cluster.read()
    del cluster.members["a"].ledgers[0]
    cluster.speak("a")
    assert len(cluster.log) == 4


def test_a_snapshot_that_is_ahead_of_what_was_read_begins_anew(cluster: Cluster) -> None:
    tenure = cluster.tenures["a"]
    tenure.loaded(0, 9)
    tenure.folded(0, 9, [Heartbeat(worker="x", number=1)], partial(cluster._note, 9, "a"), 0.0)
    tenure.folded(0, 10, [Level(level=1)], partial(cluster._note, 10, "a"), 0.0)
    tenure.folded(0, 11, [Owned(worker="a", number=5)], None, 0.0)

    assert cluster.noted.get(9) is None  # Whoever it was was there to note it.
    assert cluster.noted[10] == ["a"]


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("all_know", [True, False])
def test_whoever_comes_goes_hangs_and_reads_late_each_change_is_noted_once(
    seed: int, *, all_know: bool
) -> None:
    dice, cluster = random.Random(seed), Cluster("a", "b", "c")
    cluster.assign("a")
    for _ in range(100):
        name = dice.choice("abc")
        match dice.randrange(6):
            case 0:
                cluster.revoke(*dice.sample("abc", dice.randrange(4)))
            case 1:
                others = sorted({"a", "b", "c"} - {name})
                cluster.assign(name, others=others if all_know else others[: dice.randrange(3)])
            case 2:
                cluster.append()
            case 3:
                cluster.speak(name)
            case _:
                cluster.read(name, up_to=max(0, len(cluster.log) - dice.randrange(4)))
                cluster.members[name].wake(NOON, cluster.mono)
                cluster.say(name)
    cluster.revoke()
    cluster.assign("a")
    cluster.read()

    assert max(map(len, cluster.noted.values())) == 1
    if all_know:  # Else some `Owned` stands behind that of who has the partition since.
        assert cluster.is_exact()


def test_who_borrows_a_run_does_not_become_the_owner_of_its_partition() -> None:
    cluster = Cluster("a", "b")
    cluster.assign("a")
    cluster.members["b"].lend_ledger(0, Ledger(retry=False))
    cluster.read("a")
    change = cluster.append()
    cluster.append(Claimed(run="x", version=0, worker="b", number=1, borrowed=True))
    cluster.append(Heartbeat(worker="b", number=2))
    cluster.read("a")
    assert change not in cluster.noted
    cluster.append(Heartbeat(worker="a", number=9))
    cluster.read("a")

    assert cluster.noted[change] == ["a"]
