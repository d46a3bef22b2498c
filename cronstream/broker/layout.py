"""What is in the embedded Kafka's folder, and the texts of its configuration: values only."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cronstream.broker.jars import KAFKA_VERSION
from cronstream.broker.java import Java
from cronstream.broker.listeners import Listener
from cronstream.broker.ports import HOST

#: Tried here: ready in 0.8 s with a class archive and these, 1.0 s with C2, 2.4 s with neither.
JVM_FLAGS = ("-Xms64m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


@dataclass(frozen=True, slots=True)
class Layout:
    """The files of one embedded Kafka.

    Attributes:
        folder: Where its data, configuration, lock and log are.
        cache: Where what all of them share is: the jars, and the class archive.
    """

    folder: Path
    cache: Path

    @property
    def data(self) -> Path:
        """Kafka's own folder: the logs."""
        return self.folder / "data"

    @property
    def lock(self) -> Path:
        """The file that says who uses this folder, locked for as long as it does."""
        return self.folder / "lock"

    @property
    def properties(self) -> Path:
        """Kafka's configuration, rewritten at each start."""
        return self.folder / "server.properties"

    @property
    def log4j(self) -> Path:
        """The configuration of Kafka's log."""
        return self.folder / "log4j2.properties"

    @property
    def log(self) -> Path:
        """What Kafka logs: warnings and errors, over many starts."""
        return self.folder / "kafka.log"

    @property
    def output(self) -> Path:
        """What the last start wrote to stdout and stderr."""
        return self.folder / "kafka.out"

    def archive(self, java: Java, jars: Sequence[Path]) -> Path:
        """Return where the class archive is that fits this Java, these jars and our flags."""
        parts = [str(java.program.resolve()), java.version, *JVM_FLAGS, *map(str, jars)]
        fingerprint = hashlib.sha256("\0".join(parts).encode()).hexdigest()[:12]
        return self.cache / f"kafka-{KAFKA_VERSION}-{fingerprint}.jsa"


@dataclass(frozen=True, slots=True)
class Membership:
    """Which node of which Kafka cluster a broker is; each is a broker and a controller.

    Attributes:
        voters: The controller's port of each node, by its node id.
        cluster_id: The same for all of them; None to be given one.
    """

    node_id: int
    voters: Mapping[int, int]
    cluster_id: str | None = None

    @property
    def copies(self) -> int:
        """How many brokers keep each of Kafka's own topics."""
        return min(3, len(self.voters))

    @property
    def copies_in_sync(self) -> int:
        """How many of them must have a message before it counts."""
        return max(1, self.copies - 1)


def server_properties(
    data: Path, port: int, membership: Membership, further: Sequence[Listener] = ()
) -> str:
    """Return the configuration of a Kafka that listens on the loopback interface, and `further`.

    Each listener needs a name, and a port of its own. The quorum's voters are static, so the
    controller's port may differ from start to start: the data names the voter by its node id alone
    (tried: data formatted with another port is taken).
    """
    return f"{_listening(port, membership, further)}log.dirs={_escaped(data)}\n{_sized(membership)}"


def _listening(port: int, membership: Membership, further: Sequence[Listener]) -> str:
    node_id = membership.node_id
    controller_port = membership.voters[node_id]
    voters = ",".join(f"{node}@{HOST}:{at}" for node, at in sorted(membership.voters.items()))
    named = [(f"OUTSIDE{number}", listener) for number, listener in enumerate(further, start=1)]
    local = f"PLAINTEXT://{HOST}:{port}"
    listeners = [local, *(f"{name}://{listener.at}" for name, listener in named)]
    advertised = [local, *(f"{name}://{listener.advertised}" for name, listener in named)]
    protocols = [f"{name}:PLAINTEXT" for name in ("PLAINTEXT", "CONTROLLER")]
    protocols += [f"{name}:{listener.protocol}" for name, listener in named]
    return f"""\
process.roles=broker,controller
node.id={node_id}
controller.quorum.voters={voters}
listeners={",".join(listeners)},CONTROLLER://{HOST}:{controller_port}
advertised.listeners={",".join(advertised)}
listener.security.protocol.map={",".join(protocols)}
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
"""


def _sized(membership: Membership) -> str:
    copies = membership.copies
    return f"""
auto.create.topics.enable=false
num.partitions=1
default.replication.factor={copies}
log.retention.ms=604800000

group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=2000
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=1000

offsets.topic.replication.factor={copies}
offsets.topic.num.partitions=4
transaction.state.log.replication.factor={copies}
transaction.state.log.min.isr={membership.copies_in_sync}
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor={copies}
share.coordinator.state.topic.min.isr={membership.copies_in_sync}
share.coordinator.state.topic.num.partitions=4

num.network.threads=2
num.io.threads=4
background.threads=2
log.cleaner.dedupe.buffer.size=16777216
"""


def log4j_properties(log: Path) -> str:
    """Return the configuration that logs warnings to `log`, at most three times 5 MB of them."""
    return f"""\
status=error
rootLogger.level=warn
rootLogger.appenderRef.file.ref=file
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName={_escaped(log)}
appender.file.filePattern={_escaped(log)}.%i
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d %p %m (%c)%n
appender.file.policies.type=Policies
appender.file.policies.size.type=SizeBasedTriggeringPolicy
appender.file.policies.size.size=5MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=2
"""


def _escaped(path: Path) -> str:
    """Return `path` as java.util.Properties reads it back: backslashes doubled."""
    return str(path).replace("\\", "\\\\")


def java_command(java: Java, jars: Sequence[Path], layout: Layout, *flags: str) -> list[str]:
    """Return the beginning of a command that runs a class of Kafka's; its name is to follow."""
    return [
        str(java.program),
        *JVM_FLAGS,
        *flags,
        f"-Dlog4j2.configurationFile={layout.log4j}",
        "-cp",
        ":".join(map(str, jars)),
    ]


def archive_flags(archive: Path, unfinished: Path) -> tuple[str, ...]:
    """Return the flags that use the class archive, or else write `unfinished` at the end.

    Archived classes (JEP 350) make Kafka ready in half the time; writing them takes 2 s, once.
    The JVM's own warnings about an archive that does not fit are of no use to anyone.
    """
    quiet = "-Xlog:disable"
    if archive.is_file():
        return (quiet, "-Xshare:auto", f"-XX:SharedArchiveFile={archive}")
    return (quiet, f"-XX:ArchiveClassesAtExit={unfinished}")
