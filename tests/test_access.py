"""What may be said of how Kafka is reached, and what does not fit together."""

import pytest

from cronstream.errors import SettingsError
from cronstream.settings import settings

KAFKA = {"BROKER": "kafka://kafka.example.org:9093"}
TLS = {**KAFKA, "BROKER_SECURITY": "tls"}
SASL = {**KAFKA, "BROKER_SECURITY": "sasl-tls"}
SCRAM = {**SASL, "BROKER_MECHANISM": "SCRAM-SHA-512"}
LOGIN = {"BROKER_USER": "alice", "BROKER_PASSWORD_FILE": "/run/secrets/kafka"}
TOKENS = {**SASL, "BROKER_MECHANISM": "OAUTHBEARER"}
TOKEN = {"BROKER_TOKEN_COMMAND": "print-a-token"}


@pytest.fixture(autouse=True)
def _read_anew() -> None:
    settings.cache_clear()


def _set(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(f"CRONSTREAM_{name}", value)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        TLS,
        {**TLS, "BROKER_CA": "ca.pem", "BROKER_CERT": "cert.pem", "BROKER_KEY": "key.pem"},
        {**SCRAM, **LOGIN},
        {**SCRAM, **LOGIN, "BROKER_SECURITY": "sasl-plaintext"},
        {**TOKENS, **TOKEN},
        {**TOKENS, "BROKER_TOKEN_FILE": "/run/secrets/token"},
    ],
)
def test_what_fits_together_is_taken(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    _set(monkeypatch, variables)

    assert settings().broker_security == variables.get("BROKER_SECURITY", "plaintext")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        (
            {"BROKER_SECURITY": "tls"},
            (
                "CRONSTREAM_BROKER_SECURITY=tls needs CRONSTREAM_BROKER: the embedded Kafka speaks "
                "plaintext only"
            ),
        ),
        (
            SASL,
            (
                "CRONSTREAM_BROKER_SECURITY=sasl-tls needs CRONSTREAM_BROKER_MECHANISM: PLAIN, "
                "SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER"
            ),
        ),
        (
            SCRAM,
            (
                "CRONSTREAM_BROKER_MECHANISM=SCRAM-SHA-512 needs CRONSTREAM_BROKER_USER and "
                "CRONSTREAM_BROKER_PASSWORD_FILE"
            ),
        ),
        (
            {**SCRAM, "BROKER_USER": "alice"},
            "CRONSTREAM_BROKER_MECHANISM=SCRAM-SHA-512 needs CRONSTREAM_BROKER_PASSWORD_FILE",
        ),
        (
            {**SCRAM, **LOGIN, **TOKEN},
            (
                "CRONSTREAM_BROKER_MECHANISM=SCRAM-SHA-512 takes a password: a token is for "
                "OAUTHBEARER"
            ),
        ),
        (
            TOKENS,
            (
                "CRONSTREAM_BROKER_MECHANISM=OAUTHBEARER needs CRONSTREAM_BROKER_TOKEN_FILE or "
                "CRONSTREAM_BROKER_TOKEN_COMMAND, one of them"
            ),
        ),
        (
            {**TOKENS, **TOKEN, "BROKER_TOKEN_FILE": "token"},
            (
                "CRONSTREAM_BROKER_MECHANISM=OAUTHBEARER needs CRONSTREAM_BROKER_TOKEN_FILE or "
                "CRONSTREAM_BROKER_TOKEN_COMMAND, one of them"
            ),
        ),
        (
            {**TOKENS, **TOKEN, **LOGIN},
            (
                "CRONSTREAM_BROKER_MECHANISM=OAUTHBEARER takes a token: CRONSTREAM_BROKER_USER and "
                "CRONSTREAM_BROKER_PASSWORD_FILE are for the other mechanisms"
            ),
        ),
        (
            {**KAFKA, "BROKER_CA": "ca.pem"},
            (
                "CRONSTREAM_BROKER_CA would not be used: set CRONSTREAM_BROKER_SECURITY to tls or "
                "sasl-tls (it is plaintext)"
            ),
        ),
        (
            {**TLS, **LOGIN},
            (
                "CRONSTREAM_BROKER_USER, CRONSTREAM_BROKER_PASSWORD_FILE would not be used: set "
                "CRONSTREAM_BROKER_SECURITY to sasl-tls or sasl-plaintext (it is tls)"
            ),
        ),
        (
            {**TLS, "BROKER_KEY": "key.pem"},
            "CRONSTREAM_BROKER_KEY needs CRONSTREAM_BROKER_CERT",
        ),
    ],
)
def test_what_does_not_fit_is_one_sentence_that_says_what_would(
    monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], said: str
) -> None:
    _set(monkeypatch, variables)

    with pytest.raises(SettingsError) as raised:
        settings()

    assert str(raised.value) == said
