"""What is downloaded, with a Maven Central of our own."""

from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from cronstream.broker import download as module
from cronstream.broker.download import download, main
from cronstream.broker.pins import check


@dataclass(frozen=True)
class FakeArtifact:
    """A jar that is downloaded when it is asked for."""

    cache: Path
    name: str
    version: str = "1.0"
    fault: str | None = None
    groupId: str = "org.apache.logging.log4j"  # noqa: N815 - jgo's name

    @property
    def artifactId(self) -> str:  # noqa: N802 - jgo's name
        return self.name

    def resolve(self) -> Path:
        if self.fault:
            raise RuntimeError(self.fault)
        self.cache.mkdir(parents=True, exist_ok=True)
        jar = self.cache / f"{self.name}-{self.version}.jar"
        jar.write_bytes(b"jar")
        return jar


class FakeCentral:
    """Stands for jgo's MavenContext; Kafka needs log4j-core, and JUnit for its tests only."""

    fault: str | None = None

    def __init__(self, *, resolver: object, repo_cache: Path, timeout: int) -> None:
        assert resolver
        assert timeout > 0
        self._cache = repo_cache
        self.resolver = self

    def create_dependency(self, coordinate: Any) -> Any:
        return SimpleNamespace(artifact=self._artifact(coordinate.artifactId), scope="compile")

    def resolve(self, given: list[Any]) -> tuple[list[Any], list[Any]]:
        further = [
            SimpleNamespace(artifact=self._artifact("log4j-core", "2.25.4"), scope="runtime"),
            SimpleNamespace(artifact=self._artifact("junit"), scope="test"),
        ]
        return given, further

    def project(self, group: str, name: str) -> Any:
        assert group == "org.apache.logging.log4j"

        def at_version(version: str) -> Any:
            return SimpleNamespace(artifact=lambda: self._artifact(name, version))

        return SimpleNamespace(at_version=at_version)

    def _artifact(self, name: str, version: str = "1.0") -> FakeArtifact:
        return FakeArtifact(self._cache, name, version, self.fault)


@pytest.fixture
def central(monkeypatch: pytest.MonkeyPatch) -> type[FakeCentral]:
    class Central(FakeCentral):
        pass

    monkeypatch.setattr(module, "MavenContext", Central)
    monkeypatch.setattr(module, "check", lambda _: ())
    return Central


@pytest.mark.usefixtures("central")
def test_kafka_comes_with_what_it_needs_and_with_the_bridge_to_the_same_log4j(
    tmp_path: Path,
) -> None:
    said: list[str] = []
    download(tmp_path / "kafka", said.append)
    assert sorted(jar.name for jar in (tmp_path / "kafka").iterdir()) == [
        "kafka_2.13-1.0.jar",
        "log4j-core-2.25.4.jar",
        "log4j-slf4j-impl-2.25.4.jar",
    ]
    assert said[-1] == "downloaded 3 of 3 files, 0 MB"


@pytest.mark.usefixtures("central")
def test_as_a_program_it_says_its_lines_on_stdout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["download", str(tmp_path / "kafka")])
    assert main() == 0
    assert "downloaded 3 of 3 files" in capsys.readouterr().out


def test_as_a_program_it_says_why_it_failed_on_stderr(
    central: type[FakeCentral],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    central.fault = "wrong checksum"
    monkeypatch.setattr("sys.argv", ["download", str(tmp_path / "kafka")])
    assert main() == 1
    assert "RuntimeError: wrong checksum" in capsys.readouterr().err


@pytest.mark.usefixtures("central")
def test_a_jar_that_is_not_the_one_that_was_tested_is_no_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "check", check)
    monkeypatch.setattr("sys.argv", ["download", str(tmp_path / "kafka")])
    assert main() == 1
    assert "PinError" in capsys.readouterr().err
