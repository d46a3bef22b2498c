"""The names of topics, groups and roles, and which names a cluster cannot have."""

import pytest

from cronstream.core.wire import naming
from cronstream.core.wire.naming import Names, Role, RoleKind, cluster_problem, prefix_problem
from tests.builders import NAMES


@pytest.mark.parametrize(("cluster", "retry", "kind", "group", "words"), [
    (None, False, RoleKind.SCHEDULER, "cronstream-scheduler", "scheduler"),
    (None, True, RoleKind.SCHEDULER, "cronstream-scheduler", "scheduler"),
    ("a", False, RoleKind.WORKER, "cronstream-a", "a"),
    ("a", True, RoleKind.RETRY_WORKER, "cronstream-a-retry", "a retry"),
])  # fmt: skip
def test_the_options_choose_the_role_and_the_role_its_group(
    cluster: str | None, retry: bool, kind: RoleKind, group: str, words: str
) -> None:
    role = Role.of(cluster, retry=retry)

    assert (role.kind, NAMES.group(role), str(role)) == (kind, group, words)
    assert role.retry is (kind is RoleKind.RETRY_WORKER)


def test_a_worker_folds_its_clusters_log_and_a_retry_worker_the_retry_log() -> None:
    assert NAMES.log_of(Role.of("a", retry=False)) == NAMES.log("a") == "cronstream.a"
    assert NAMES.log_of(Role.of("a", retry=True)) == NAMES.retry_log("a") == "cronstream.a.retry"
    assert NAMES.discarded("a") == "cronstream.a.discarded"


@pytest.mark.parametrize("topic", ["cronstream.a", "cronstream.a.retry", "cronstream.a.discarded"])
def test_the_topics_of_a_cluster_have_as_many_partitions_as_each_other(topic: str) -> None:
    found = NAMES.siblings(topic)

    assert topic in found
    assert len(found) == 7
    assert {"cronstream-a-ledgers-changelog", "cronstream-a-retry-runs-changelog"} <= set(found)


def test_the_topics_of_schedulers_have_as_many_partitions_as_each_other() -> None:
    tables = ["cronstream-scheduler-cursors-changelog", "cronstream-scheduler-jobs-changelog"]

    assert NAMES.siblings(NAMES.ticks) == [NAMES.jobs, NAMES.ticks, *tables]


@pytest.mark.parametrize("topic", ["theirs", NAMES.quarantine, "cronstream.A", "cronstream-a"])
def test_any_other_topic_stands_alone(topic: str) -> None:
    assert NAMES.siblings(topic) == [topic]


def test_a_changelog_is_told_by_its_name() -> None:
    assert NAMES.is_changelog(naming.changelog("cronstream-a", "ledgers"))
    assert not NAMES.is_changelog(NAMES.log("a"))


def test_a_scheduler_folds_no_log() -> None:
    with pytest.raises(ValueError, match="folds no log"):
        _ = NAMES.log_of(Role.of(None, retry=False))


@pytest.mark.parametrize("name", ["a", "cluster-a", "0", "retry", "a" * 63, "retry-a"])
def test_a_good_name_for_a_cluster_has_no_problem(name: str) -> None:
    assert cluster_problem(name) is None


@pytest.mark.parametrize(("name", "problem"), [
    ("jobs", "taken by a topic"),
    ("ticks", "taken by a topic"),
    ("quarantine", "taken by a topic"),
    ("", "lower-case"),
    ("-a", "lower-case"),
    ("A", "lower-case"),
    ("a.retry", "lower-case"),
    ("a\n", "lower-case"),
    ("a" * 64, "at most 63"),
    ("a-retry", "share a consumer group"),
    ("scheduler", "share a consumer group"),
    ("legacy", "share a consumer group"),
    ("installation", "taken by a topic"),
])  # fmt: skip
def test_a_name_that_would_meet_another_is_refused_with_the_reason(name: str, problem: str) -> None:
    found = cluster_problem(name)

    assert found is not None
    assert problem in found
    assert repr(name) in found


def test_the_mover_s_group_is_no_cluster_s() -> None:
    cluster = NAMES.legacy_group.removeprefix(f"{NAMES.prefix}-")

    assert cluster_problem(cluster) is not None
    assert NAMES.group(Role.of(cluster, retry=False)) == NAMES.legacy_group


@pytest.mark.parametrize("prefix", ["cronstream", "a", "x2", "a" * 32])
def test_a_good_prefix_has_no_problem(prefix: str) -> None:
    assert prefix_problem(prefix) is None


@pytest.mark.parametrize("prefix", ["", "A", "2x", "x-y", "x.y", "x_y", "é", "a\n", "a" * 33])
def test_a_prefix_by_which_installations_could_meet_is_refused(prefix: str) -> None:
    found = prefix_problem(prefix)

    assert found is not None
    assert repr(prefix) in found
    assert "letters and digits" in found


def test_installations_with_different_prefixes_share_no_name() -> None:
    one, other = (_all_names(Names(prefix)) for prefix in ("x", "xy"))

    assert not one & other
    assert all(Names("x").owns(name) and not Names("xy").owns(name) for name in one)


def _all_names(names: Names) -> set[str]:
    clusters = ("a", "y-a", "y")
    roles = [Role.of(name, retry=retry) for name in clusters for retry in (False, True)]
    topics = {names.jobs, names.ticks, names.workers, names.quarantine, names.legacy_group}
    topics |= {names.discarded(name) for name in clusters}
    topics |= {name for role in roles for name in (names.group(role), names.log_of(role))}
    topics |= {names.ledgers(role) for role in roles}
    return topics | {*names.siblings(names.jobs), *names.siblings(names.log("a"))}


def test_no_two_roles_share_a_group_or_a_log() -> None:
    roles = [Role.of(None, retry=False)]
    roles += [Role.of(name, retry=retry) for name in ("a", "b") for retry in (False, True)]

    assert len({NAMES.group(role) for role in roles}) == len(roles)
    assert len({NAMES.log_of(role) for role in roles if role.cluster}) == len(roles) - 1


def test_live_output_is_told_from_the_log_of_a_cluster_of_that_name() -> None:
    assert NAMES.is_output(NAMES.output("a"))
    assert NAMES.is_output(NAMES.output("output"))
    for topic in (NAMES.log("output"), NAMES.discarded("output"), "other.a.output", "cronstream"):
        assert not NAMES.is_output(topic)
