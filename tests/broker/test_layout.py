from pathlib import Path

from cronstream.broker.java import Java
from cronstream.broker.layout import (
    Layout,
    Membership,
    archive_flags,
    java_command,
    log4j_properties,
    server_properties,
)
from cronstream.broker.listeners import Address, Listener

JAVA = Java(Path("/java/bin/java"), "21.0.2")
JARS = (Path("/jars/a.jar"), Path("/jars/b.jar"))
LAYOUT = Layout(Path("/state/kafka"), Path("/state/jars"))


def read(text: str) -> dict[str, str]:
    return dict(line.split("=", 1) for line in text.splitlines() if line)


def test_every_listener_is_on_the_loopback_interface() -> None:
    properties = read(server_properties(Path("/d"), 9092, Membership(1, {1: 9093})))
    assert properties["listeners"] == "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093"
    assert properties["advertised.listeners"] == "PLAINTEXT://127.0.0.1:9092"
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:9093"


def test_a_further_listener_has_a_name_of_its_own_and_tells_clients_what_is_advertised() -> None:
    further = [Listener(Address("0.0.0.0", 9094), Address("kafka-1.example.org", 9094))]
    properties = read(server_properties(Path("/d"), 9092, Membership(1, {1: 9093}), further))
    assert properties["listeners"] == (
        "PLAINTEXT://127.0.0.1:9092,OUTSIDE1://0.0.0.0:9094,CONTROLLER://127.0.0.1:9093"
    )
    assert properties["advertised.listeners"] == (
        "PLAINTEXT://127.0.0.1:9092,OUTSIDE1://kafka-1.example.org:9094"
    )
    assert properties["listener.security.protocol.map"].endswith(",OUTSIDE1:PLAINTEXT")
    assert properties["inter.broker.listener.name"] == "PLAINTEXT"


def test_topics_are_not_made_by_who_only_asks_for_them() -> None:
    assert (
        read(server_properties(Path("/d"), 1, Membership(1, {1: 2})))["auto.create.topics.enable"]
        == "false"
    )


def test_no_internal_topic_wants_more_copies_than_there_are_brokers() -> None:
    properties = read(server_properties(Path("/d"), 1, Membership(1, {1: 2})))
    copies = {
        name: value
        for name, value in properties.items()
        if name.endswith(("replication.factor", "min.isr"))
    }
    assert len(copies) == 6
    assert set(copies.values()) == {"1"}


def test_three_brokers_keep_three_copies_of_which_two_must_have_a_message() -> None:
    membership = Membership(2, {1: 11, 2: 12, 3: 13})
    properties = read(server_properties(Path("/d"), 9092, membership))
    assert properties["controller.quorum.voters"] == (
        "1@127.0.0.1:11,2@127.0.0.1:12,3@127.0.0.1:13"
    )
    assert properties["listeners"] == "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:12"
    assert properties["node.id"] == "2"
    assert properties["offsets.topic.replication.factor"] == "3"
    assert properties["transaction.state.log.min.isr"] == "2"


def test_a_path_with_a_backslash_is_read_back_by_java_as_it_is() -> None:
    assert read(server_properties(Path("/a\\b"), 1, Membership(1, {1: 2})))["log.dirs"] == "/a\\\\b"
    assert read(log4j_properties(Path("/a\\b")))["appender.file.fileName"] == "/a\\\\b"


def test_the_command_has_the_jars_as_its_class_path_and_ends_before_the_class() -> None:
    command = java_command(JAVA, JARS, LAYOUT, "-Xextra")
    assert command[0] == "/java/bin/java"
    assert command[-2:] == ["-cp", "/jars/a.jar:/jars/b.jar"]
    assert "-Xextra" in command


def test_a_class_archive_is_of_one_java_and_one_set_of_jars() -> None:
    archives = {
        LAYOUT.archive(JAVA, JARS),
        LAYOUT.archive(Java(JAVA.program, "21.0.3"), JARS),
        LAYOUT.archive(Java(Path("/other/bin/java"), JAVA.version), JARS),
        LAYOUT.archive(JAVA, JARS[:1]),
    }
    assert len(archives) == 4
    assert {path.parent for path in archives} == {LAYOUT.cache}


def test_a_class_archive_is_used_when_it_is_there_and_written_when_it_is_not(
    tmp_path: Path,
) -> None:
    archive = tmp_path / "k.jsa"
    assert f"-XX:ArchiveClassesAtExit={tmp_path / 'x'}" in archive_flags(archive, tmp_path / "x")
    archive.touch()
    assert f"-XX:SharedArchiveFile={archive}" in archive_flags(archive, tmp_path / "x")
