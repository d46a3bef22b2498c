from pathlib import Path

from cronstream.broker.java import Java
from cronstream.broker.kafka_program import KafkaProgram
from cronstream.broker.layout import Layout

#: Says what it is started with, where Java would start Kafka.
ECHO = Java(Path("/bin/echo"), "21.0.2")


async def words_of_a_start(folder: Path, *further: str) -> list[str]:
    kafka = KafkaProgram(ECHO, (Path("/jars/a.jar"),), Layout(folder, folder))
    with (folder / "lock").open("w") as lock:
        await (await kafka.serve(lock.fileno(), further)).wait()
    return kafka.layout.output.read_text().split()


async def test_a_broker_that_starts_without_an_archive_of_classes_writes_one(
    tmp_path: Path,
) -> None:
    words = await words_of_a_start(tmp_path)

    assert any(word.startswith("-XX:ArchiveClassesAtExit=") for word in words)


async def test_a_broker_with_further_flags_has_them_and_writes_no_archive(tmp_path: Path) -> None:
    words = await words_of_a_start(tmp_path, "-javaagent:x.jar")

    assert words.index("-javaagent:x.jar") < words.index("kafka.Kafka")
    assert not any(word.startswith("-XX:ArchiveClassesAtExit=") for word in words)


async def test_a_broker_with_further_flags_uses_an_archive_that_is_there(tmp_path: Path) -> None:
    archive = Layout(tmp_path, tmp_path).archive(ECHO, (Path("/jars/a.jar"),))
    archive.touch()

    assert f"-XX:SharedArchiveFile={archive}" in await words_of_a_start(tmp_path, "-javaagent:x")
