"""No jar is run but those that were tested."""

import hashlib
from pathlib import Path

import pytest

from cronstream.broker.jars import KAFKA_VERSION
from cronstream.broker.pins import PinError, check, pins

TESTED = {name: hashlib.sha256(name.encode()).hexdigest() for name in ("a.jar", "b.jar")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in TESTED:
        (tmp_path / name).write_text(name)
    (tmp_path / "notes.txt").touch()
    return tmp_path


def test_the_jars_that_were_tested_are_taken(folder: Path) -> None:
    assert [jar.name for jar in check(folder, TESTED)] == ["a.jar", "b.jar"]


def test_one_that_is_another_is_refused(folder: Path) -> None:
    (folder / "b.jar").write_text("b.jar, and more")
    with pytest.raises(PinError, match=r"b\.jar is not the one that was tested"):
        check(folder, TESTED)


def test_one_that_nobody_has_tested_is_refused(folder: Path) -> None:
    (folder / "agent.jar").touch()
    with pytest.raises(PinError, match=r"agent\.jar is none of Kafka's"):
        check(folder, TESTED)


def test_one_that_is_missing_is_named(folder: Path) -> None:
    (folder / "a.jar").unlink()
    with pytest.raises(PinError, match=r"a\.jar is missing"):
        check(folder, TESTED)


def test_every_jar_of_this_kafka_is_pinned() -> None:
    assert f"kafka_2.13-{KAFKA_VERSION}.jar" in pins()
    kafkas = [name for name in pins() if name.startswith("kafka")]
    assert all(name.endswith(f"-{KAFKA_VERSION}.jar") for name in kafkas)
    assert all(len(digest) == 64 and name.endswith(".jar") for name, digest in pins().items())
    assert len(pins()) > 40
