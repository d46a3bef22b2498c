"""What can be set, and what is said of it."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cronstream.errors import SettingsError
from cronstream.settings import Settings, make_data_folder, settings

DOCS = Path(__file__).parents[1] / "docs" / "settings.md"
CHART = Path(__file__).parents[1] / "ops" / "helm" / "cronstream"


@pytest.fixture(autouse=True)
def _read_anew() -> None:
    settings.cache_clear()


def _variable(name: str) -> str:
    return str(Settings.model_fields[name].validation_alias or f"CRONSTREAM_{name.upper()}")


def _rows() -> dict[str, list[str]]:
    """Return the cells of each row of the docs' tables, by the variables in its first."""
    lines = [line for line in DOCS.read_text().splitlines() if line.startswith("| `")]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return {name.strip("` "): row for row in rows for name in row[0].split(",")}


def _range(name: str) -> str:
    """Return a setting's range as the docs are to say it."""
    bounds = {
        kind: f"{getattr(rule, kind):g}"
        for rule in Settings.model_fields[name].metadata
        for kind in ("ge", "gt", "le")
        if hasattr(rule, kind)
    }
    if "gt" in bounds:
        return f"more than {bounds['gt']}"
    return f"{bounds['ge']} to {bounds['le']}" if bounds else ""


def test_a_form_of_log_lines_that_there_is_not_is_told_which_there_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CRONSTREAM_LOG_FORMAT", "xml")

    with pytest.raises(
        SettingsError, match=r"^CRONSTREAM_LOG_FORMAT: .* 'plain', 'brief' or 'json'$"
    ):
        settings()


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_docs_with_its_range_and_its_default(name: str) -> None:
    _, default, allowed, _ = _rows()[_variable(name)]
    value = Settings.model_fields[name].get_default()

    assert allowed == _range(name)
    if value is not None:
        shown = f"{value:g}" if isinstance(value, float) else str(value)
        shown = shown.lower() if isinstance(value, bool) else shown
        assert default == (f"`{shown}`" if shown else "none")


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


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"FENCE_S": "6"}, r"^CRONSTREAM_FENCE_S \(6\) must be less than CRONSTREAM_LEASE_S \(6\)"),
        (
            {"LEASE_S": "100"},
            r"^CRONSTREAM_LEASE_S \(100\) must be .*LOOK_AHEAD_S \(30\)",
        ),
        (
            {"LOOK_AHEAD_S": "5"},
            r"^CRONSTREAM_LEASE_S \(6\) must be .*LOOK_AHEAD_S \(5\)",
        ),
        ({"FENCE_S": "1"}, r"^CRONSTREAM_FENCE_S: "),
        ({"LEASE_S": "nan"}, r"^CRONSTREAM_LEASE_S: "),
        ({"MIN_INSYNC_REPLICAS": "2"}, r"^CRONSTREAM_MIN_INSYNC_REPLICAS \(2\) must not be more"),
        ({"LEASE_S": "40", "FENCE_S": "50"}, r"^CRONSTREAM_FENCE_S .*; CRONSTREAM_LEASE_S "),
    ],
)
def test_times_and_copies_that_do_not_fit_are_refused_with_a_sentence_each(
    monkeypatch: pytest.MonkeyPatch, values: dict[str, str], told: str
) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"CRONSTREAM_{name}", value)

    with pytest.raises(SettingsError, match=told):
        settings()


def test_a_user_without_a_home_is_told_to_name_a_folder_where_one_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CRONSTREAM_DATA_DIR", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as where nobody has a home

    assert settings().slots
    with pytest.raises(SettingsError, match="has no home: name one with CRONSTREAM"):
        _ = settings().data_dir


def test_a_folder_that_is_read_only_for_this_user_is_told_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.access", lambda *_: False)  # root may write everywhere

    with pytest.raises(SettingsError, match=r"cannot be kept in .*: name a folder .* CRONSTREAM_"):
        make_data_folder(tmp_path / "new")


def test_each_crontab_has_data_of_its_own_and_all_share_the_jars(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("CRONSTREAM_DATA_DIR", "CRONSTREAM_JAR_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", "/data")
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    monkeypatch.chdir(tmp_path)
    one, same, other = (
        Settings(crontab=Path(text))
        for text in ("crontab.yaml", str(tmp_path / "crontab.yaml"), "/srv/jobs/crontab.yaml")
    )
    assert one.data_dir == same.data_dir != other.data_dir
    assert other.data_dir.parent == Path("/data/cronstream")
    assert other.data_dir.name.startswith("jobs-")
    assert one.jars == other.jars == Path("/cache/cronstream/jars")
    monkeypatch.setenv("CRONSTREAM_DATA_DIR", "/given")
    assert settings().data_dir == Path("/given")


def test_each_prefix_has_data_of_its_own() -> None:
    one, other = (
        Settings(crontab=Path("/srv/jobs/crontab.yaml")),
        Settings(crontab=Path("/srv/jobs/crontab.yaml"), prefix="second"),
    )

    assert (one.names.jobs, other.names.jobs) == ("cronstream.jobs", "second.jobs")
    assert other.data_dir == one.data_dir.with_name(f"{one.data_dir.name}-second")


def test_a_prefix_that_would_let_installations_meet_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CRONSTREAM_PREFIX", "x-y")

    with pytest.raises(SettingsError, match="CRONSTREAM_PREFIX: 'x-y' cannot be the prefix of"):
        settings()


def test_a_user_without_a_home_keeps_jars_with_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("CRONSTREAM_JAR_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("os.path.expanduser", lambda path: path)  # as where nobody has a home

    assert Settings(given_data_dir=tmp_path).jars == tmp_path / "jars"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ("PATH,A B", "'A B' is not a variable's name; write names with ',' between"),
        ("L*C", "'L*C' is not a variable's name"),
        ("PATH,CRONSTREAM_BROKER_USER", "CRONSTREAM_BROKER_USER sets the worker itself"),
    ],
)
def test_what_commands_cannot_get_of_their_worker_is_told(
    monkeypatch: pytest.MonkeyPatch, given: str, why: str
) -> None:
    monkeypatch.setenv("CRONSTREAM_PASS_ENV", given)

    with pytest.raises(SettingsError, match=f"^CRONSTREAM_PASS_ENV: {re.escape(why)}"):
        settings()


def test_names_of_what_commands_get_may_have_blanks_between_and_a_star_at_their_end() -> None:
    assert Settings(pass_env=" PATH, SSH_* ,,* ").pass_env == "PATH,SSH_*,*"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"signatures": "require"}, "CRONSTREAM_SIGNATURES=require needs CRONSTREAM_TRUSTED_KEYS"),
        ({"signing_key": "/k"}, "CRONSTREAM_SIGNING_KEY needs CRONSTREAM_TRUSTED_KEYS"),
    ],
)
def test_who_signs_or_wants_signatures_says_whom_to_trust(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Settings(**given)

    assert Settings(**given, trusted_keys=Path("/trusted")).trusted_keys is not None


@pytest.mark.parametrize(
    ("bind", "address"),
    [
        ("", None),
        ("0.0.0.0", ("0.0.0.0", 0)),
        ("0.0.0.0:9464", ("0.0.0.0", 9464)),
        ("[::1]:9464", ("::1", 9464)),
        ("worker.example:0", ("worker.example", 0)),
    ],
)
def test_metrics_are_served_at_an_address_with_a_port_or_without(
    bind: str, address: tuple[str, int] | None
) -> None:
    assert Settings(metrics_bind=bind).metrics_address == address


@pytest.mark.parametrize("bind", [":9464", "http://x:1", "x:y", "x:70000", "x/y", "a@b:1", "[::"])
def test_where_metrics_cannot_be_served_is_told_with_the_form(
    monkeypatch: pytest.MonkeyPatch, bind: str
) -> None:
    monkeypatch.setenv("CRONSTREAM_METRICS_BIND", bind)

    with pytest.raises(
        SettingsError, match=r"^CRONSTREAM_METRICS_BIND: .* write HOST or HOST:PORT"
    ):
        settings()


def test_the_charts_schema_names_each_setting_but_what_the_chart_sets_itself() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    names = set(schema["definitions"]["settings"]["propertyNames"]["enum"])
    known = {_variable(name) for name in Settings.model_fields}

    # Java and the embedded Kafka are not in the image, and nobody looks at colours.
    assert known - names == {
        *(name for name in known if name.startswith("CRONSTREAM_BROKER")),
        *("CRONSTREAM_CRONTAB", "CRONSTREAM_DATA_DIR", "CRONSTREAM_WEB_PORT"),
        *("CRONSTREAM_TRUSTED_KEYS", "CRONSTREAM_SIGNATURES", "CRONSTREAM_SIGNING_KEY"),
        *("CRONSTREAM_METRICS_BIND", "CRONSTREAM_JAR_CACHE", "JAVA_HOME", "NO_COLOR"),
    }
    assert names <= known
