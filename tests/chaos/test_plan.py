from collections import Counter

import pytest

from chaos.plan import CARDS, Fault, FaultKind, Reach, Target, make_plan

EVERY = frozenset(FaultKind)
CLUSTERS = ("a", "b")


def plan(seed: int = 1, duration_s: float = 3600, brokers: int = 3) -> tuple[Fault, ...]:
    return make_plan(seed, duration_s, EVERY, CLUSTERS, brokers)


def test_a_seed_always_makes_the_same_plan_and_another_seed_another() -> None:
    assert plan(7) == plan(7)
    assert plan(7) != plan(8)


def test_every_sort_of_fault_comes_before_any_comes_again() -> None:
    cards = [fault.card for fault in plan()[: 2 * len(CARDS)]]
    assert set(Counter(cards).values()) == {2}
    assert set(cards[: len(CARDS)]) == set(CARDS)


def test_faults_come_in_the_order_of_time_and_leave_some_peace_at_the_end() -> None:
    faults = plan(duration_s=60)
    times = [fault.at_s for fault in faults]
    assert times == sorted(times)
    assert [fault.number for fault in faults] == list(range(1, len(faults) + 1))
    assert 5 <= len(faults) <= 12
    assert times[-1] <= 56


def test_both_clusters_are_struck() -> None:
    assert {fault.cluster for fault in plan()} == set(CLUSTERS)


@pytest.mark.parametrize("kind", list(FaultKind))
def test_only_what_was_asked_for_is_done(kind: FaultKind) -> None:
    faults = make_plan(1, 600, {kind}, CLUSTERS, 3)
    assert {fault.card.kind for fault in faults} == {kind}


def test_the_only_broker_is_not_struck_as_the_controller() -> None:
    assert Target.CONTROLLER not in {fault.card.target for fault in plan(brokers=1)}
    assert Target.CONTROLLER in {fault.card.target for fault in plan(brokers=3)}


def test_without_any_kind_nothing_is_done() -> None:
    assert make_plan(1, 600, (), CLUSTERS, 3) == ()


def test_labels_tell_sorts_apart_that_a_table_should() -> None:
    labels = {card.label for card in CARDS}
    assert "kill executor of worker" in labels
    assert "pause worker 15 s" in labels
    assert {"restart broker", "kill broker", "kill controller"} <= labels
    assert {"full disk of broker", "full disk of worker", "poison topics"} <= labels
    assert {"edit a scheduler's file", "add and remove worker"} <= labels
    assert all(Reach.EXECUTOR is not card.reach or "executor" in card.label for card in CARDS)


def test_only_poison_edits_and_the_disk_of_a_process_are_to_harm_nobody() -> None:
    harmless = {card.label for card in CARDS if card.is_harmless}
    assert harmless == {
        "poison topics",
        "edit a scheduler's file",
        "full disk of scheduler",
        "full disk of worker",
        "full disk of retry worker",
    }
