"""A group shares out every topic of the installation, whatever a broker has heard of."""

from types import SimpleNamespace
from typing import Any

from aiokafka.cluster import ClusterMetadata
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from faust.assignor.client_assignment import ClientAssignment, ClientMetadata

from cronstream.application import app
from cronstream.fitted.to_faust.assignment import Assignor, KnownTopics


def test_a_topic_that_the_broker_has_not_heard_of_has_the_partitions_that_are_known() -> None:
    cluster = KnownTopics(ClusterMetadata(), {"cronstream.a": 3})
    assert cluster.partitions_for_topic("cronstream.a") == frozenset({0, 1, 2})
    assert cluster.partitions_for_topic("somebody.elses") is None


def _member(*topics: str) -> ConsumerProtocolMemberMetadata:
    nothing = ClientAssignment(actives={}, standbys={})
    known = ClientMetadata(
        assignment=nothing,
        url="http://127.0.0.1:6066",
        changelog_distribution={},
        external_topic_distribution={},
        topic_groups={},
    )
    return ConsumerProtocolMemberMetadata(0, list(topics), known.dumps())


def test_the_leader_shares_out_a_topic_that_its_broker_has_forgotten() -> None:
    stands_in: Any = SimpleNamespace(
        tables=SimpleNamespace(data={}, changelog_topics=set()),
        topics=SimpleNamespace(),
        known_partitions={"cronstream.a": 4},
        sensors=app.sensors,
        tracer=None,
    )
    assignor = Assignor(stands_in)
    shared = assignor.assign(
        ClusterMetadata(), {"one": _member("cronstream.a"), "two": _member("cronstream.a")}
    )
    partitions = [p for given in shared.values() for _, mine in given.assignment for p in mine]
    assert sorted(partitions) == [0, 1, 2, 3]
