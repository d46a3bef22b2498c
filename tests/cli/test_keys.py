"""``cronstream keys``, and what commands that publish look at before."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cronstream.cli.main import main
from cronstream.core.health.roll import Roll
from cronstream.core.trust.keys import parse_trusted
from cronstream.core.wire.enumerations import Cause
from cronstream.errors import KeysError
from cronstream.settings import Settings, settings
from cronstream.steering.believed import see_that_it_is_believed, see_that_it_may
from cronstream.trust.signer import Signer, new_key
from tests.builders import NOON, a_run
from tests.core.health.test_presence import a_process
from tests.signing import a_judge, trusted


@pytest.fixture(autouse=True)
def _fresh_settings() -> Any:
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_a_new_key_prints_the_line_by_which_it_is_trusted(tmp_path: Path) -> None:
    key = tmp_path / "alice.key"
    asked = ["--causes", "run-now,replay", "--clusters", "b,a", "--name", "alice  of ops"]

    answer = CliRunner().invoke(main, ["keys", "new", str(key), *asked])

    assert answer.exit_code == 0, answer.output
    [found] = parse_trusted(answer.stdout).values()
    assert (sorted(found.causes), found.name) == (["replay", "run-now"], "alice of ops")
    assert found.clusters == frozenset({"a", "b"})
    assert "PRIVATE KEY" in key.read_text()
    assert "PRIVATE" not in answer.output


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (["--causes", "sudo"], "'sudo' is no cause; there are backfill, chain"),
        (["--clusters", "A"], "cluster name 'A' must be lower-case letters"),
    ],
)
def test_what_no_line_can_say_is_refused_before_a_key_is_made(
    asked: list[str], why: str, tmp_path: Path
) -> None:
    key = tmp_path / "key"

    answer = CliRunner().invoke(main, ["keys", "new", str(key), *asked])

    assert answer.exit_code == 2
    assert why in answer.output
    assert not key.exists()


def test_without_a_file_of_keys_there_is_nothing_to_check_by(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CRONSTREAM_TRUSTED_KEYS", raising=False)

    answer = CliRunner().invoke(main, ["keys", "check"])

    assert answer.exit_code == 1
    assert "CRONSTREAM_TRUSTED_KEYS names no file here" in answer.output


class FakeReader:
    """Nothing but who is there."""


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    present: list[Any] = []

    async def roll_now(_: Any) -> Roll:
        roll = Roll()
        for number, who in enumerate(present):
            roll.fold(number, NOON, who.name.encode(), who.encode())
        return roll

    monkeypatch.setattr("cronstream.steering.believed.roll_now", roll_now)
    return present


async def test_what_workers_would_not_run_is_not_published(there: list[Any]) -> None:
    reader: Any = FakeReader()
    there[:] = [
        a_process("n.1", cluster="a", trusts=["k"], requires_signatures=True),
        a_process("n.2", cluster="b", trusts=["k"]),
    ]

    await see_that_it_is_believed(reader, {"a", "b"}, "k")
    await see_that_it_is_believed(reader, {"b"}, None)
    with pytest.raises(KeysError, match=r"n\.1 \(a\) runs only what is signed"):
        await see_that_it_is_believed(reader, {"a"}, None)
    with pytest.raises(KeysError, match=r"by key x, and n\.2 \(b\) does not trust it: nothing"):
        await see_that_it_is_believed(reader, {"b"}, "x")


def test_keys_are_listed_with_who_trusts_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = CliRunner().invoke(main, ["keys", "new", str(tmp_path / "key"), "--name", "me"])
    file = tmp_path / "trusted"
    file.write_text(made.stdout)
    [key] = parse_trusted(made.stdout)
    monkeypatch.setenv("CRONSTREAM_TRUSTED_KEYS", str(file))
    monkeypatch.setenv("CRONSTREAM_SIGNING_KEY", str(tmp_path / "key"))

    async def present() -> list[Any]:
        return [a_process("n.1", trusts=[key]), a_process("n.2", trusts=[]), a_process("n.3")]

    monkeypatch.setattr("cronstream.cli.keys_command._present", present)
    settings.cache_clear()
    answer = CliRunner().invoke(main, ["keys", "list", "--json"])

    assert json.loads(answer.stdout) == {
        "key": key,
        "name": "me",
        "causes": "*",
        "clusters": "*",
        "trusted_by": "1 of 3",
        "signs_here": "yes",
    }
    assert "me" in CliRunner().invoke(main, ["keys", "list"]).stdout


def test_what_the_key_may_not_ask_for_is_not_published(tmp_path: Path) -> None:
    new_key(tmp_path / "key")
    made = Settings(signing_key=tmp_path / "key", trusted_keys=tmp_path / "key")
    signer = Signer(made, at_once=True)
    assert signer.key is not None
    judge = a_judge(trusted(signer.key, "replay")).judge
    run_now = a_run(revision=None)

    see_that_it_may([run_now.derive(cause=Cause.REPLAY)], signer, judge)
    see_that_it_may([run_now], Signer(Settings()), judge)
    with pytest.raises(KeysError, match=r"may not sign .* run-now; nothing was published"):
        see_that_it_may([run_now], signer, judge)
