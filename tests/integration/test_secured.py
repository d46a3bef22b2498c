"""A Kafka that speaks TLS and asks who comes in, and what is said to whom it does not take."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from chaos.certificates import Authority
from cronstream import clock
from cronstream.errors import AccessError, SetupError
from cronstream.fitted.to_aiokafka.bootstrap import AtStart
from cronstream.fitted.to_aiokafka.logins import LastLogged
from cronstream.settings import Settings
from cronstream.topology.client import new_admin
from cronstream.topology.reaching import probe
from tests.integration.command import run_command
from tests.integration.conftest import StartedWorker, StartWorker
from tests.integration.hands import until
from tests.integration.secured import SECRET, USER, Secured, token
from tests.integration.truth import Truth, a_name

pytestmark = pytest.mark.integration


class Doors:
    """The doors of the Kafka of this session, and all that may be shown there, right or wrong."""

    def __init__(self, secured: Secured, broker: str, folder: Path) -> None:
        self.plain, self.sasl_tls, self.tls, self.sasl = (
            broker,
            secured.sasl_tls,
            secured.tls,
            secured.sasl,
        )
        self.authority, self._folder = secured.authority, folder
        self.stranger = Authority.new(folder / "stranger")

    def holding(self, text: str) -> Path:
        """Return a file that has nothing but a secret."""
        path = self._folder / f"secret-{abs(hash(text))}"
        path.write_text(f"{text}\n")
        return path

    def by_tls(self, door: str, **more: Any) -> Settings:
        ca = {"broker_ca": self.authority.certificate}
        return Settings(broker=door, **{"broker_security": "tls", **ca, **more})

    def by_password(self, door: str, security: str = "sasl-tls", **more: Any) -> Settings:
        shown = {
            "broker_security": security,
            "broker_mechanism": "SCRAM-SHA-512",
            "broker_user": USER,
            "broker_password_file": self.holding(SECRET),
        }
        if security == "sasl-tls":
            shown["broker_ca"] = self.authority.certificate
        return Settings(broker=door, **{**shown, **more})

    def by_token(self, text: str) -> Settings:
        return Settings(
            broker=self.sasl,
            broker_security="sasl-plaintext",
            broker_mechanism="OAUTHBEARER",
            broker_token_file=self.holding(text),
        )


@pytest.fixture
def doors(secured: Secured, broker: str, tmp_path: Path) -> Doors:
    return Doors(secured, broker, tmp_path)


async def test_whoever_shows_what_is_asked_for_is_let_in(doors: Doors) -> None:
    certificate = doors.authority.folder / "client.pem"
    command = f"cat {doors.holding(token())}"
    by_command = {"broker_token_file": None, "broker_token_command": command}
    shown = [
        doors.by_password(doors.sasl_tls),
        doors.by_password(doors.sasl, "sasl-plaintext", broker_mechanism="PLAIN"),
        doors.by_tls(doors.tls, broker_cert=certificate),
        doors.by_token(token()),
        doors.by_token(token()).model_copy(update=by_command),
    ]

    await asyncio.gather(*map(probe, shown))


async def test_whoever_is_not_let_in_is_told_why(doors: Doors) -> None:
    stranger = doors.stranger.issue("client")
    scram_256 = {"broker_mechanism": "SCRAM-SHA-256"}
    wrong: dict[str, Any] = {"broker_password_file": doors.holding("a guess")}
    plain = {"broker_mechanism": "PLAIN", **wrong}
    told = {
        "does not let 'alice' in by SCRAM-SHA-512: the password in": doors.by_password(
            doors.sasl_tls, **wrong
        ),
        "does not let 'alice' in by PLAIN": doors.by_password(
            doors.sasl, "sasl-plaintext", **plain
        ),
        "or there is no such user": doors.by_password(doors.sasl_tls, broker_user="mallory"),
        "has no login by SCRAM-SHA-256": doors.by_password(doors.sasl_tls, **scram_256),
        "does not take the token from": doors.by_token(token(lives_s=-10)),
        "vouched for by nobody whom": doors.by_password(
            doors.sasl_tls, broker_ca=doors.stranger.certificate
        ),
        "nobody whom this system trusts": doors.by_password(doors.sasl_tls, broker_ca=None),
        "certificate of this client (none": doors.by_tls(doors.tls),
        "certificate of this client (/": doors.by_tls(doors.tls, broker_cert=stranger),
        "no login, but CRONSTREAM_BROKER_SECURITY=sasl-plaintext": doors.by_password(
            doors.plain, "sasl-plaintext"
        ),
        "CRONSTREAM_BROKER_PASSWORD_FILE: /nowhere cannot be read": doors.by_password(
            doors.sasl_tls, broker_password_file="/nowhere"
        ),
    }
    await _are_told(told, AccessError)


async def test_whoever_speaks_otherwise_than_a_door_is_told_how_it_may_be_spoken_to(
    doors: Doors,
) -> None:
    told = {
        "set CRONSTREAM_BROKER_SECURITY to tls or sasl-tls": Settings(broker=doors.sasl_tls),
        "set CRONSTREAM_BROKER_SECURITY to sasl-tls (it is sasl-pl": doors.by_password(
            doors.sasl_tls, "sasl-plaintext"
        ),
        "set CRONSTREAM_BROKER_SECURITY to sasl-plaintext": Settings(broker=doors.sasl),
        "set CRONSTREAM_BROKER_SECURITY to sasl-tls (it is tls)": doors.by_tls(doors.sasl_tls),
        "=tls: set it to plaintext": doors.by_tls(doors.plain),
        "=sasl-tls: set it to sasl-plaintext": doors.by_password(doors.sasl),
    }
    await _are_told(told, SetupError)


async def _are_told(told: dict[str, Settings], kind: type[Exception]) -> None:
    """Have all of them come to Kafka; what each is told has its own words in it."""

    async def sentence(settings: Settings) -> str:
        with pytest.raises(kind) as raised:
            await probe(settings)
        return str(raised.value)

    began = clock.monotonic()
    said = dict(zip(told, await asyncio.gather(*map(sentence, told.values())), strict=True))
    await asyncio.sleep(0.2)  # until both ends are closed
    assert {words: text for words, text in said.items() if words not in text} == {}
    assert clock.monotonic() - began < 30, "it takes 0.5 s; the machine may be busy"


async def test_who_is_not_let_in_any_more_says_so_and_goes_on_once_the_file_is_right(
    doors: Doors, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = doors.holding("of old")
    admin = new_admin(doors.by_password(doors.sasl_tls, broker_password_file=file))
    monkeypatch.setattr(AtStart, "waits", True)  # as in a process that has begun
    monkeypatch.setattr(LastLogged, "at", float("-inf"))
    try:
        with caplog.at_level("WARNING", "cronstream"):
            starting = asyncio.create_task(admin.start())
            await until(lambda: any("goes on asking" in text for text in caplog.messages))
        file.write_text(SECRET)
        await asyncio.wait_for(starting, 30)
    finally:
        await admin.close()

    [line] = [text for text in caplog.messages if "which goes on asking" in text]
    assert line.startswith(f"Kafka at {doors.sasl_tls} does not let this process in any more")
    assert "invalid credentials" in line


async def test_an_installation_runs_behind_tls_and_a_login(
    start_worker: StartWorker, secured: Secured, tmp_path: Path
) -> None:
    cluster = a_name("secured")
    truth = Truth(tmp_path)
    crontab = f"""
version: 1
clusters: {{{cluster}: }}
defaults: {{max_attempts: 2, backoff: {{first: 0.2s, factor: 1, jitter: 0}}}}
jobs:
  - name: {cluster}-second
    cluster: {cluster}
    schedule: "@every 2s"
    command: '{truth.command}; test $CRONSTREAM_ATTEMPT -ge 2'
"""
    wrong = {"CRONSTREAM_BROKER_PASSWORD_FILE": str(tmp_path / "wrong")}
    (tmp_path / "wrong").write_text("a guess")
    roles = ((), ("--cluster", cluster), ("--cluster", cluster, "--retry"))

    async def start(*options: str, waits: bool = True, **more: str) -> StartedWorker:
        variables = {**secured.variables, **more}
        return await start_worker(*options, crontab=crontab, variables=variables, waits=waits)

    *_, refused = await asyncio.gather(
        *(start(*options) for options in roles), start(waits=False, **wrong)
    )
    await refused.said("does not let 'alice' in by SCRAM-SHA-512")
    await truth.wait(2, f"{cluster}-second")

    variables = {**secured.variables, "CRONSTREAM_CRONTAB": str(tmp_path / "crontab.yaml")}
    at = f"kafka://{secured.sasl_tls}"
    (status, out, err), (no_status, _, no_err) = await asyncio.gather(
        run_command(at, "runs", "--job", f"{cluster}-second", "--json", variables=variables),
        run_command(at, "runs", variables={**variables, **wrong}),
    )
    assert status == 0, err
    assert json.loads(out.splitlines()[0])["job"] == f"{cluster}-second"
    assert no_status == 1
    [line] = no_err.splitlines()
    assert line.startswith(f"cronstream: Kafka at {secured.sasl_tls} does not let 'alice' in")
