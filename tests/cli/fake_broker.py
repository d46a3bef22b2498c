"""A broker of lists, for commands that only read and publish."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import datetime
from functools import partial

from aiokafka.structs import TopicPartition

from cronstream import clock
from cronstream.cli.connection import Connections
from cronstream.core.wire.codec import encode, encode_entries
from cronstream.core.wire.entries import Entry
from cronstream.core.wire.messages import Message
from cronstream.core.wire.rights import Right
from cronstream.core.wire.runs import Discarded, Job
from cronstream.settings import Settings
from cronstream.topology.examining import KafkaFacts
from cronstream.topology.log_message import LogMessage, Spans
from cronstream.topology.publish import Ack, partition_of
from tests.builders import NAMES

PARTITIONS = 3


class FakeBroker:
    """Topics as lists of messages; give `connections` to a command as click's ``obj``.

    Attributes:
        after_publish: Called with each record that a command has published; may append more.
        ack_times: Times that the next messages are appended at, in the place of now.
        surplus: Topics that somebody has given partitions: how many they have, and are in use.
        questions: How often it was asked for something.
        before_poll: Called before each poll; may append messages, or raise as Kafka does.
        kafka: Its id.
        committed: Up to where whichever group is done with a topic's partitions.
        before_probe: Called before each connection; may raise, too.
        refused: Topics on which nothing is allowed.
        wrong_topics: What is wrong with topics.
    """

    def __init__(self, *clusters: str) -> None:
        self.topics: dict[str, list[list[LogMessage]]] = {}
        self.refused: set[str] = set()
        self.wrong_topics: list[str] = []
        self.published: list[Message] = []
        self.after_publish: Callable[[Message], None] = lambda _: None
        self.ack_times: list[datetime] = []
        self.surplus: dict[str, tuple[int, int]] = {}
        self.questions = 0
        self.before_poll: Callable[[], None] = lambda: None
        self.before_probe: Callable[[], None] = lambda: None
        self.kafka: str | None = None
        self.committed: dict[str, dict[int, int]] = {}
        self._beginnings: dict[tuple[str, int], int] = {}
        for cluster in clusters:
            for topic in (NAMES.log, NAMES.retry_log, NAMES.discarded):
                self.create(topic(cluster), PARTITIONS)

    def create(self, topic: str, partitions: int) -> None:
        self.topics[topic] = [[] for _ in range(partitions)]

    def put(self, topic: str, key: str, value: bytes, when: datetime) -> tuple[int, int]:
        """Append bytes to the partition of `key`; return the partition and the offset."""
        partition = partition_of(key, len(self.topics[topic]))
        messages = self.topics[topic][partition]
        offset = len(messages)
        messages.append(LogMessage(topic, partition, offset, when, key.encode(), value))
        return partition, offset

    def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Have retention delete what comes before an offset."""
        self._beginnings[topic, partition] = offset

    def beginning(self, topic: str, partition: int) -> int:
        """Return the first offset that a partition still has."""
        return self._beginnings.get((topic, partition), 0)

    def log(self, key: str, *entries: Entry, when: datetime, cluster: str = "cluster-a") -> int:
        """Append one message of entries to a cluster's log; return its offset."""
        return self.put(NAMES.log(cluster), key, encode_entries(entries), when)[1]

    def retry(self, key: str, *entries: Entry, when: datetime) -> int:
        return self.put(NAMES.retry_log("cluster-a"), key, encode_entries(entries), when)[1]

    def discard(self, record: Discarded) -> None:
        topic = NAMES.discarded(record.run.cluster)
        self.put(topic, record.run.job, encode(record), record.discarded_at)

    def job(self, job: Job, when: datetime) -> None:
        self.put(NAMES.jobs, job.name, encode(job), when)

    async def lacking(self, _: Settings, wanted: Sequence[Right]) -> list[Right]:
        return [right for right in wanted if right.name in self.refused]

    async def kafka_facts(self, _: Settings) -> KafkaFacts:
        return KafkaFacts("abc", 3, 3, 2, 1_048_588)

    async def topic_faults(self, _: Settings, __: Sequence[str]) -> list[str]:
        return self.wrong_topics

    @property
    def connections(self) -> Connections:
        async def reachable(_: Settings) -> None:
            self.before_probe()

        return Connections(
            reader=lambda _: FakeReader(self),
            publisher=lambda settings: FakePublisher(self, settings),
            probe=reachable,
            lacking=self.lacking,
            topic_faults=self.topic_faults,
            kafka_facts=self.kafka_facts,
        )


class FakeReader:
    """Reads the lists. Once there is nothing more to follow, the person presses Ctrl-C."""

    names = NAMES

    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker
        self._places: dict[TopicPartition, int] = {}

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def topics(self) -> set[str]:
        self._broker.questions += 1
        return set(self._broker.topics)

    async def partitions(self, topic: str) -> list[int]:
        self._broker.questions += 1
        return list(range(len(self._broker.topics.get(topic, ()))))

    async def layout(self) -> dict[str, list[int]]:
        self._broker.questions += 1
        return {topic: list(range(len(logs))) for topic, logs in self._broker.topics.items()}

    async def kafka_id(self) -> str | None:
        return self._broker.kafka

    async def surplus(self) -> dict[str, tuple[int, int]]:
        return self._broker.surplus

    async def spans(self, places: Iterable[TopicPartition], since: datetime | None) -> Spans:
        self._broker.questions += 1
        found = {}
        for place in places:
            topic, p = place.topic, place.partition
            at = self.beginnings if since is None else partial(self.offsets_at, moment=since)
            start, end = (await at(topic, [p]))[p], (await self.ends(topic, [p]))[p]
            found[place] = (start, end)
        return found

    async def read_all(self, spans: Spans) -> AsyncIterator[LogMessage]:
        self._broker.questions += 1
        for place, (start, end) in spans.items():
            for message in self._broker.topics[place.topic][place.partition][start:end]:
                yield message

    async def ends(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        return {p: len(self._broker.topics[topic][p]) for p in partitions}

    async def committed(self, _: str, topic: str) -> dict[int, int]:
        return self._broker.committed.get(topic, {})

    async def beginnings(self, topic: str, partitions: Iterable[int]) -> dict[int, int]:
        assert topic in self._broker.topics
        return {p: self._broker.beginning(topic, p) for p in partitions}

    async def offsets_at(
        self, topic: str, partitions: Iterable[int], moment: datetime
    ) -> dict[int, int]:
        return {
            p: max(
                self._broker.beginning(topic, p),
                sum(message.at < moment for message in self._broker.topics[topic][p]),
            )
            for p in partitions
        }

    async def read(
        self, topic: str, start: dict[int, int], end: dict[int, int]
    ) -> AsyncIterator[LogMessage]:
        for p in start:
            for message in self._broker.topics[topic][p][start[p] : end[p]]:
                yield message

    def follow(self, places: dict[TopicPartition, int]) -> None:
        self._places = dict(places)

    async def poll(self, timeout_s: float) -> list[LogMessage]:
        assert timeout_s > 0
        self._broker.before_poll()
        await asyncio.sleep(0)
        found = []
        for place, offset in self._places.items():
            fresh = self._broker.topics[place.topic][place.partition][offset:]
            found += fresh
            self._places[place] = offset + len(fresh)
        if not found:
            raise KeyboardInterrupt
        return found


class FakePublisher:
    """Appends to the lists, and acknowledges at once."""

    names = NAMES

    def __init__(self, broker: FakeBroker, settings: Settings) -> None:
        self._broker, self._settings = broker, settings

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def publish(
        self, topic: str, key: str, record: Message, *, partitions: int | None = None
    ) -> asyncio.Future[Ack]:
        assert (partitions or self._settings.partitions) == len(self._broker.topics[topic])
        return self.append(topic, partition_of(key, len(self._broker.topics[topic])), record, key)

    def put_raw(
        self, topic: str, partition: int, value: bytes | None, headers: dict[str, str]
    ) -> asyncio.Future[Ack]:
        messages = self._broker.topics[topic][partition]
        told = tuple((name, text.encode()) for name, text in headers.items())
        offset, when = len(messages), clock.now()
        messages.append(LogMessage(topic, partition, offset, when, None, value, told))
        done: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        done.set_result(Ack(partition, offset, when))
        return done

    def append(
        self, topic: str, partition: int, record: Message, key: str = ""
    ) -> asyncio.Future[Ack]:
        when = self._broker.ack_times.pop(0) if self._broker.ack_times else clock.now()
        messages = self._broker.topics[topic][partition]
        offset = len(messages)
        messages.append(LogMessage(topic, partition, offset, when, key.encode(), encode(record)))
        self._broker.published.append(record)
        self._broker.after_publish(record)
        done: asyncio.Future[Ack] = asyncio.get_running_loop().create_future()
        done.set_result(Ack(partition, offset, when))
        return done
