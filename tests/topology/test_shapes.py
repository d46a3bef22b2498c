"""Topics that somebody has changed: what would lose runs is refused, what may is told."""

from typing import Any

import pytest

from cronstream.core.wire import naming
from cronstream.errors import TopologyError
from cronstream.settings import Settings
from cronstream.topology.shapes import check_shape, copies_of
from cronstream.topology.topics import (
    TopicSpec,
    cluster_topics,
    group_topics,
    installation_topics,
    output_topic,
)
from tests.builders import NAMES

SETTINGS = Settings(replication_factor=3, min_insync_replicas=2)
SPECS = {
    spec.name: spec
    for spec in (
        *installation_topics(SETTINGS),
        *cluster_topics("a", SETTINGS),
        output_topic("a", SETTINGS),
        *group_topics("cronstream-a", {"ledgers": 12}),
    )
}
LOG, DAY = NAMES.log("a"), 86_400_000
CHANGELOG = naming.changelog("cronstream-a", "ledgers")


def notes(name: str, copies: int = 3, **changes: str) -> list[str]:
    spec: TopicSpec = SPECS[name]
    wanted = spec.full_config(SETTINGS)
    found = {**wanted, **{key.replace("_", "."): value for key, value in changes.items()}}
    return list(check_shape(name, wanted, found, copies, SETTINGS))


@pytest.mark.parametrize("name", SPECS)
def test_a_topic_as_it_is_made_is_right(name: str) -> None:
    assert notes(name) == []
    assert list(check_shape(name, SPECS[name].full_config(SETTINGS), {}, 0, SETTINGS)) == []


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        (LOG, {"cleanup_policy": "compact"}, "cleanup.policy=delete"),
        (LOG, {"cleanup_policy": "compact,delete"}, "cleanup.policy=delete"),
        (NAMES.jobs, {"cleanup_policy": "compact"}, "cleanup.policy=delete"),
        (NAMES.jobs, {"retention_ms": str(90 * DAY)}, "retention.ms=-1,retention.bytes=-1"),
        (NAMES.jobs, {"retention_bytes": "1000"}, "retention.ms=-1,retention.bytes=-1"),
        (LOG, {"retention_ms": "3600000"}, f"retention.ms={30 * DAY}"),
        (LOG, {"min_insync_replicas": "4"}, "min.insync.replicas=2"),
    ],
)
def test_what_would_lose_runs_is_refused_with_the_command_that_mends_it(
    name: str, changes: dict[str, Any], said: str
) -> None:
    with pytest.raises(TopologyError) as raised:
        notes(name, **changes)

    command = "kafka-configs --alter --entity-type topics --entity-name"
    assert str(raised.value).endswith(f"{command} {name} --add-config {said}")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"retention_ms": str(7 * DAY)}, "deletes after 7 days, where 30 days are meant"),
        ({"retention_bytes": "1000"}, "runs that nobody has made yet among them"),
        ({"min_insync_replicas": "1"}, "min.insync.replicas=1 where 2 are set"),
    ],
)
def test_what_may_lose_something_is_told_with_the_command_that_mends_it(
    changes: dict[str, Any], said: str
) -> None:
    [note] = notes(LOG, **changes)

    assert said in note
    assert f"--entity-name {LOG} --add-config" in note


def test_fewer_copies_than_are_set_are_told() -> None:
    [note] = notes(LOG, copies=2)

    assert "has 2 copies where 3 are set" in note


def test_what_is_soon_old_may_be_deleted_early_and_what_is_kept_longer_does_no_harm() -> None:
    for name in (NAMES.ticks, NAMES.workers, CHANGELOG):
        assert notes(name, retention_ms="60000", retention_bytes="1000000") == []
    assert notes(LOG, retention_ms="-1") == []


def test_the_copies_of_a_topic_are_those_of_its_least_partition() -> None:
    described = {"partitions": [{"replicas": [1, 2, 3]}, {"replicas": [1]}]}

    assert copies_of(described) == 1
    assert copies_of({"partitions": [{}]}) == copies_of({"partitions": []}) == 0
