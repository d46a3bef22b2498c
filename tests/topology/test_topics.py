"""Topics are created once, waited for, and refused in another shape."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from cronstream.errors import BrokerError, TopologyError
from cronstream.settings import Settings
from cronstream.topology import topics
from cronstream.topology.topics import TopicSpec, cluster_topics, ensure_topics, group_topics


@dataclass
class Answer:
    topic_errors: list[tuple[Any, ...]] = field(default_factory=list)
    resources: list[tuple[Any, ...]] = field(default_factory=list)


@dataclass
class FakeAdmin:
    """A broker's administration that tells of a topic only after a few questions."""

    there: dict[str, int] = field(default_factory=dict)
    timestamps: str = "LogAppendTime"
    hidden: int = 0
    error: int = 0
    created: list[str] = field(default_factory=list)

    async def start(self) -> None: ...
    async def close(self) -> None: ...

    async def list_topics(self) -> list[str]:
        return list(self.there)

    async def create_topics(self, new: list[Any]) -> Answer:
        for topic in new:
            self.created.append(topic.name)
            self.there[topic.name] = topic.num_partitions
        return Answer([(topic.name, self.error, "no room") for topic in new])

    async def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        self.hidden -= 1
        leader = -1 if self.hidden >= 0 else 1
        return [
            {
                "topic": name,
                "error_code": 0,
                "partitions": [{"error_code": 0, "leader": leader}] * self.there[name],
            }
            for name in names
        ]

    async def describe_configs(self, resources: list[Any]) -> list[Answer]:
        config = [("message.timestamp.type", self.timestamps)]
        return [Answer(resources=[(0, "", 2, r.name, config) for r in resources])]


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> FakeAdmin:
    fake = FakeAdmin()
    monkeypatch.setattr(topics, "AIOKafkaAdminClient", lambda **_: fake)
    monkeypatch.setattr(topics, "_LOOK_AGAIN_S", 0)
    return fake


SPECS = [TopicSpec("log", 12, 1000), TopicSpec("retry", 12, 1000)]


async def test_what_is_missing_is_created_and_waited_for(admin: FakeAdmin) -> None:
    admin.there, admin.hidden = {"log": 12}, 4

    await ensure_topics(SPECS, Settings())

    assert admin.created == ["retry"]
    assert admin.hidden < 0


async def test_topics_that_never_come_are_named(
    admin: FakeAdmin, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(topics, "_SEEN_WITHIN_S", 0.02)
    admin.hidden = 1_000_000

    with pytest.raises(BrokerError, match="not there yet: log, retry"):
        await ensure_topics(SPECS, Settings())


async def test_a_topic_with_other_partitions_is_refused_with_the_remedy(admin: FakeAdmin) -> None:
    admin.there = {"log": 6, "retry": 12}

    with pytest.raises(TopologyError, match="log has 6 partitions where 12 are set"):
        await ensure_topics(SPECS, Settings())


async def test_a_topic_with_the_senders_timestamps_is_refused(admin: FakeAdmin) -> None:
    admin.there, admin.timestamps = {"log": 12, "retry": 12}, "CreateTime"

    with pytest.raises(TopologyError, match="set it to LogAppendTime"):
        await ensure_topics(SPECS, Settings())


async def test_what_the_broker_refuses_is_told_in_its_words(admin: FakeAdmin) -> None:
    admin.error = 38

    with pytest.raises(BrokerError, match="topic log cannot be created: no room"):
        await ensure_topics(SPECS, Settings())


async def test_somebody_else_creating_it_at_the_same_time_is_fine(admin: FakeAdmin) -> None:
    admin.error = 36

    await ensure_topics(SPECS, Settings())


def test_every_topic_of_a_cluster_takes_the_brokers_time_and_is_kept_long() -> None:
    config = Settings(replication_factor=3, min_insync_replicas=2)
    for spec in cluster_topics("cluster-a", config):
        full = spec.full_config(config)
        assert full["message.timestamp.type"] == "LogAppendTime"
        assert int(full["retention.ms"]) >= 30 * 24 * 3600 * 1000
        assert full["min.insync.replicas"] == "2"


def test_what_faust_keeps_for_a_group_is_compacted() -> None:
    specs = {spec.name: spec for spec in group_topics("cronstream-a", {"ledgers": 12})}

    assert specs["cronstream-a-ledgers-changelog"].config["cleanup.policy"] == "compact"
    assert specs["cronstream-a-__assignor-__leader"].partitions == 1
