"""What can be set, and what is said of it."""

from pathlib import Path

import pytest

from cronstream.errors import SettingsError
from cronstream.settings import Settings, settings

DOCS = Path(__file__).parents[1] / "docs" / "settings.md"


@pytest.fixture(autouse=True)
def _read_anew() -> None:
    settings.cache_clear()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_docs(name: str) -> None:
    variable = Settings.model_fields[name].validation_alias or f"CRONSTREAM_{name.upper()}"
    assert f"`{variable}`" in DOCS.read_text()


def test_several_brokers_are_separated_by_semicolons() -> None:
    config = Settings(broker="kafka://a:9092;kafka://b:9093")

    assert config.bootstrap == ["a:9092", "b:9093"]


@pytest.mark.parametrize(
    "address", ["http://x", "x:", "kafka://", "", "kafka://h:99999", "kafka://a:1;b", "h:abc"]
)
def test_what_is_no_brokers_address_is_told_what_one_looks_like(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv("CRONSTREAM_BROKER", address)

    with pytest.raises(SettingsError, match=r"CRONSTREAM_BROKER: '.*write kafka://HOST:PORT"):
        settings()


def test_a_value_that_cannot_be_used_is_named_with_its_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CRONSTREAM_SLOTS", "many")

    with pytest.raises(SettingsError, match="CRONSTREAM_SLOTS"):
        settings()


def test_a_fence_that_is_not_shorter_than_the_lease_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CRONSTREAM_FENCE_S", "6")

    with pytest.raises(SettingsError, match="shorter than"):
        settings()
