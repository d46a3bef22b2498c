import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronstream.core.wire.naming import Role, RoleKind
from cronstream.supervisor.plan import Backoff, Change, difference, parts

SCHEDULER = Role(RoleKind.SCHEDULER)
A, A_RETRY = Role(RoleKind.WORKER, "a"), Role(RoleKind.RETRY_WORKER, "a")
B, B_RETRY = Role(RoleKind.WORKER, "b"), Role(RoleKind.RETRY_WORKER, "b")
ROLES = st.lists(st.sampled_from([SCHEDULER, A, A_RETRY, B, B_RETRY]), unique=True)


def test_each_cluster_has_a_worker_and_a_retry_worker_and_all_have_one_scheduler() -> None:
    assert parts(["a", "b"]) == (SCHEDULER, A, A_RETRY, B, B_RETRY)


def test_without_clusters_there_is_still_a_scheduler() -> None:
    assert parts([]) == (SCHEDULER,)


def test_a_cluster_that_is_named_twice_has_its_workers_once() -> None:
    assert parts(["a", "a"]) == (SCHEDULER, A, A_RETRY)


def test_a_cluster_that_comes_is_started_and_one_that_goes_is_stopped() -> None:
    change = difference(parts(["a"]), parts(["b"]))
    assert change == Change(start=(B, B_RETRY), stop=(A, A_RETRY))


@given(ROLES, ROLES)
def test_a_difference_leads_from_what_runs_to_what_is_wanted(
    running: list[Role], wanted: list[Role]
) -> None:
    change = difference(running, wanted)
    assert (set(running) - set(change.stop)) | set(change.start) == set(wanted)
    assert not set(change.start) & set(running)


@pytest.mark.parametrize(
    ("deaths", "delay_s"), [(1, 0.5), (2, 1.0), (3, 2.0), (6, 16.0), (7, 30.0), (5_000, 30.0)]
)
def test_the_wait_doubles_with_each_death_up_to_its_ceiling(deaths: int, delay_s: float) -> None:
    assert Backoff().delay_s(deaths) == delay_s


def test_deaths_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="not 0"):
        Backoff().delay_s(0)


@given(st.integers(1, 10_000))
def test_a_wait_is_never_shorter_than_the_one_before(deaths: int) -> None:
    assert Backoff().delay_s(deaths) <= Backoff().delay_s(deaths + 1) <= 30.0


@pytest.mark.parametrize(("lifetime_s", "count"), [(0.0, 5), (59.9, 5), (60.0, 1), (1e6, 1)])
def test_a_part_that_has_lived_for_a_minute_is_taken_for_sound_again(
    lifetime_s: float, count: int
) -> None:
    assert Backoff().count(4, lifetime_s) == count
