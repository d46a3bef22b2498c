"""Topics are created once, waited for, and refused in another shape."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from cronstream.core.wire.naming import Role
from cronstream.errors import BrokerError, SetupError, TopologyError
from cronstream.settings import Settings
from cronstream.topology import topics
from cronstream.topology.topics import (
    TopicSpec,
    all_topics,
    cluster_topics,
    ensure_topics,
    group_topics,
    topics_of,
)


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
    #: Codes with which it refuses to tell of a topic, and of its configuration.
    unseen: int = 0
    max_bytes: int = 1_048_588
    unread: int = 0
    #: What each topic is set to besides; and what it answers to who would change that.
    config: dict[str, str] = field(default_factory=dict)
    unaltered: int = 0
    altered: list[Any] = field(default_factory=list)
    created: list[str] = field(default_factory=list)
    asked: dict[str, dict[str, str]] = field(default_factory=dict)
    #: Its error for a topic with small segments.
    untidy: int = 0
    versions: dict[int, tuple[int, int]] = field(default_factory=lambda: {44: (0, 1)})

    async def start(self) -> None: ...
    async def close(self) -> None: ...

    async def list_topics(self) -> list[str]:
        return list(self.there)

    async def create_topics(self, new: list[Any]) -> Answer:
        for topic in new:
            self.created.append(topic.name)
            self.asked[topic.name] = topic.topic_configs
            self.there[topic.name] = topic.num_partitions
        return Answer([(topic.name, self._error(topic), "no room") for topic in new])

    def _error(self, topic: Any) -> int:
        return self.error or (self.untidy if "segment.ms" in topic.topic_configs else 0)

    async def _send_request(self, request: Any, _node: int | None = None) -> Any:
        built = request.prepare(self.versions)
        self.altered += built.resources
        answers = [(self.unaltered, None, 2, name) for _, name, _ in built.resources]
        return SimpleNamespace(responses=answers)

    async def describe_topics(self, names: list[str]) -> list[dict[str, Any]]:
        self.hidden -= 1
        leader = -1 if self.hidden >= 0 else 1
        return [
            {
                "topic": name,
                "error_code": self.unseen,
                "partitions": [{"error_code": 0, "leader": leader}] * self.there[name],
            }
            for name in names
        ]

    async def describe_configs(self, resources: list[Any]) -> list[Answer]:
        config = [
            ("message.timestamp.type", self.timestamps),
            ("max.message.bytes", str(self.max_bytes)),
            *self.config.items(),
        ]
        return [
            Answer(resources=[(self.unread, "", 2, r.name, config * (not self.unread))])
            for r in resources
        ]


@pytest.fixture
def admin(monkeypatch: pytest.MonkeyPatch) -> FakeAdmin:
    fake = FakeAdmin()
    monkeypatch.setattr(topics, "new_admin", lambda _: fake)
    monkeypatch.setattr(topics, "_LOOK_AGAIN_S", 0)
    monkeypatch.setattr(topics, "_logged", set())
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


async def test_a_topic_with_too_few_partitions_is_refused_with_the_remedy(
    admin: FakeAdmin,
) -> None:
    admin.there = {"log": 6, "retry": 12}

    with pytest.raises(TopologyError) as refused:
        await ensure_topics(SPECS, Settings())

    assert "log has 6 partitions where 12 are set" in str(refused.value)
    assert "set CRONSTREAM_PARTITIONS=6 in every process" in str(refused.value)
    assert "kafka-topics --alter --topic log --partitions 12" in str(refused.value)


@pytest.mark.parametrize("name", ["cronstream.ticks", "cronstream-scheduler-cursors-changelog"])
async def test_what_has_too_few_shards_is_told_to_set_those(admin: FakeAdmin, name: str) -> None:
    admin.there = {name: 1}

    with pytest.raises(TopologyError, match="set CRONSTREAM_SHARDS=1"):
        await ensure_topics([TopicSpec(name, 2, 1000)], Settings(shards=2))


async def test_partitions_that_somebody_has_added_are_told_once_and_do_no_harm(
    admin: FakeAdmin, caplog: pytest.LogCaptureFixture
) -> None:
    admin.there = {"log": 15, "retry": 12}

    found = [await ensure_topics(SPECS, Settings()) for _ in range(2)]

    [line] = [record.getMessage() for record in caplog.records]
    assert found == [[line]] * 2
    assert "log has 15 partitions where 12 are set" in line
    assert "nothing has to be done" in line


async def test_a_topic_with_the_senders_timestamps_is_refused(admin: FakeAdmin) -> None:
    admin.there, admin.timestamps = {"log": 12, "retry": 12}, "CreateTime"

    with pytest.raises(TopologyError, match=r"--add-config message.timestamp.type=LogAppendTime"):
        await ensure_topics(SPECS, Settings())


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        (44, "a rule of this Kafka's does not take its settings (no room)"),
        (40, "--config message.timestamp.type=LogAppendTime"),
        (29, "--operation Create --topic log, or have it created: kafka-topics --create"),
        (31, "Kafka does not allow this user to"),
        (37, "topic log cannot be created: no room; or have it created: kafka-topics"),
    ],
)
async def test_a_topic_that_cannot_be_had_is_told_with_the_way_out(
    admin: FakeAdmin, code: int, sentence: str
) -> None:
    admin.error = code

    with pytest.raises(TopologyError) as refused:
        await ensure_topics(SPECS, Settings())

    assert sentence in str(refused.value)


@pytest.mark.parametrize(("code", "kind"), [(38, SetupError), (41, BrokerError), (-1, BrokerError)])
async def test_what_may_mend_itself_is_to_be_waited_for(
    admin: FakeAdmin, code: int, kind: type[BrokerError]
) -> None:
    admin.error = code

    with pytest.raises(kind, match="topic log cannot be created"):
        await ensure_topics(SPECS, Settings())


@pytest.mark.parametrize("there", [{}, {"log": 12, "retry": 12}])
async def test_a_topic_that_may_not_be_seen_is_told_with_the_right_that_is_missing(
    admin: FakeAdmin, there: dict[str, int]
) -> None:
    admin.there, admin.unseen = there, 29

    with pytest.raises(TopologyError, match="--operation Describe --topic log"):
        await ensure_topics(SPECS, Settings())


async def test_a_configuration_that_may_not_be_read_is_no_reason_to_delete_anything(
    admin: FakeAdmin,
) -> None:
    admin.there, admin.unread = {"log": 12, "retry": 12}, 29

    with pytest.raises(TopologyError, match="--operation DescribeConfigs --topic log") as refused:
        await ensure_topics(SPECS, Settings())

    assert "delete" not in str(refused.value)


async def test_a_log_that_takes_only_small_messages_is_refused_with_the_remedy(
    admin: FakeAdmin,
) -> None:
    admin.there, admin.max_bytes = {"log": 12, "retry": 12}, 262_144

    with pytest.raises(TopologyError, match=r"--add-config max.message.bytes=1000000"):
        await ensure_topics(SPECS, Settings())


[CHANGELOG, _] = group_topics("cronstream-a", {"ledgers": 12})


async def test_a_changelog_that_takes_only_small_messages_is_told_and_does_no_harm(
    admin: FakeAdmin,
) -> None:
    admin.max_bytes = 262_144
    [told] = await ensure_topics([CHANGELOG], Settings())
    admin.max_bytes = 1_000_000

    assert "--add-config max.message.bytes=1000000; until then large rows are not kept" in told
    assert await ensure_topics([CHANGELOG], Settings()) == []


def test_no_topic_asks_for_messages_that_a_managed_kafka_does_not_take() -> None:
    asked = CHANGELOG.full_config(Settings())

    assert "max.message.bytes" not in asked
    assert (asked["segment.ms"], asked["max.compaction.lag.ms"]) == ("14400000", "21600000")


async def test_a_kafka_that_does_not_allow_small_segments_gets_the_changelog_without(
    admin: FakeAdmin,
) -> None:
    admin.untidy = 44

    await ensure_topics([*SPECS, CHANGELOG], Settings())

    assert admin.created == ["log", "retry", CHANGELOG.name, CHANGELOG.name]
    assert admin.asked[CHANGELOG.name]["cleanup.policy"] == "compact"
    assert "segment.ms" not in admin.asked[CHANGELOG.name]


async def test_a_changelog_that_is_there_is_compacted_as_soon_as_a_new_one(
    admin: FakeAdmin,
) -> None:
    admin.config = {"segment.ms": "604800000", "segment.bytes": "1048576"}
    admin.there = {"log": 12, "retry": 12, CHANGELOG.name: 12}

    assert await ensure_topics([*SPECS, CHANGELOG], Settings()) == []

    assert admin.altered == [(2, CHANGELOG.name, [("segment.ms", 0, "14400000")])]


@pytest.mark.parametrize(
    ("code", "versions", "why"),
    [
        (29, {44: (0, 1)}, "TopicAuthorizationFailedError"),
        (44, {44: (0, 1)}, "PolicyViolationError"),
        (0, {}, "IncompatibleBrokerVersion"),
        (0, {44: (1, 1)}, "NotImplementedError"),
    ],
)
async def test_who_may_not_change_a_changelog_is_told_what_to_run_and_goes_on(
    admin: FakeAdmin, code: int, versions: dict[int, tuple[int, int]], why: str
) -> None:
    admin.config = {"segment.ms": "604800000", "max.compaction.lag.ms": "9223372036854775807"}
    admin.unaltered, admin.versions = code, versions

    [told] = await ensure_topics([CHANGELOG], Settings())

    assert f"only takes disk space, and that could not be changed ({why})" in told
    assert "--add-config segment.ms=14400000,max.compaction.lag.ms=21600000" in told


async def test_a_configuration_that_is_not_told_for_the_moment_is_asked_again(
    admin: FakeAdmin,
) -> None:
    admin.there, admin.unread = {"log": 12, "retry": 12}, 7

    with pytest.raises(BrokerError, match="log cannot be checked: RequestTimedOutError"):
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


def test_a_worker_needs_its_cluster_s_topics_and_a_scheduler_only_the_installation_s() -> None:
    worker = {s.name for s in topics_of(Role.of("a", retry=True), Settings(), {"ledgers": 12})}
    scheduler = {s.name for s in topics_of(Role.of(None, retry=False), Settings(), {})}

    assert {"cronstream.a", "cronstream-a-retry-ledgers-changelog"} <= worker - scheduler
    assert "cronstream.jobs" in scheduler & worker


def test_no_topic_is_made_with_a_message_size_of_its_own_and_the_docs_count_them() -> None:
    config = Settings(partitions=5, shards=3)
    specs = all_topics(["a", "b"], config)

    assert [spec.name for spec in specs if "max.message.bytes" in spec.full_config(config)] == []
    assert len(specs) == 8 + 10 * 2
    assert sum(spec.partitions for spec in specs) == 4 * 3 + 3 + 5 + (7 * 5 + 3) * 2
