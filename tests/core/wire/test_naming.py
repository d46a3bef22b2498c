"""The names of topics, groups and roles, and which names a cluster cannot have."""

import pytest

from cronstream.core.planning.legacy import LEGACY_GROUP
from cronstream.core.wire import naming
from cronstream.core.wire.naming import Role, RoleKind, cluster_problem


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

    assert (role.kind, role.group, str(role)) == (kind, group, words)
    assert role.retry is (kind is RoleKind.RETRY_WORKER)


def test_a_worker_folds_its_clusters_log_and_a_retry_worker_the_retry_log() -> None:
    assert Role.of("a", retry=False).log == naming.log("a") == "cronstream.a"
    assert Role.of("a", retry=True).log == naming.retry_log("a") == "cronstream.a.retry"
    assert naming.discarded("a") == "cronstream.a.discarded"


@pytest.mark.parametrize("topic", ["cronstream.a", "cronstream.a.retry", "cronstream.a.discarded"])
def test_the_topics_of_a_cluster_have_as_many_partitions_as_each_other(topic: str) -> None:
    found = naming.siblings(topic)

    assert topic in found
    assert len(found) == 7
    assert {"cronstream-a-ledgers-changelog", "cronstream-a-retry-runs-changelog"} <= set(found)


def test_the_topics_of_schedulers_have_as_many_partitions_as_each_other() -> None:
    tables = ["cronstream-scheduler-cursors-changelog", "cronstream-scheduler-jobs-changelog"]

    assert naming.siblings(naming.TICKS) == [naming.JOBS, naming.TICKS, *tables]


@pytest.mark.parametrize("topic", ["theirs", naming.QUARANTINE, "cronstream.A", "cronstream-a"])
def test_any_other_topic_stands_alone(topic: str) -> None:
    assert naming.siblings(topic) == [topic]


def test_a_changelog_is_told_by_its_name() -> None:
    assert naming.is_changelog(naming.changelog("cronstream-a", "ledgers"))
    assert not naming.is_changelog(naming.log("a"))


def test_a_scheduler_folds_no_log() -> None:
    with pytest.raises(ValueError, match="folds no log"):
        _ = Role.of(None, retry=False).log


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
    cluster = LEGACY_GROUP.removeprefix(f"{naming.PREFIX}-")

    assert cluster_problem(cluster) is not None
    assert Role.of(cluster, retry=False).group == LEGACY_GROUP


def test_no_two_roles_share_a_group_or_a_log() -> None:
    roles = [Role.of(None, retry=False)]
    roles += [Role.of(name, retry=retry) for name in ("a", "b") for retry in (False, True)]

    assert len({role.group for role in roles}) == len(roles)
    assert len({role.log for role in roles if role.cluster}) == len(roles) - 1
