"""Why a broker that is there does not take this client as it comes, in one sentence.

Kafka's own words for most of it are that the connection was closed: nobody says anything to whom
they do not understand, or know.
"""

import asyncio
import ssl
from contextlib import suppress
from typing import Any

from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from cronstream.access import Access
from cronstream.errors import AccessError, BrokerError, SetupError
from cronstream.fitted.to_aiokafka.logins import ShownError
from cronstream.topology.client import connected

#: With TLS both ends take leave; who does not is left.
_CLOSED_WITHIN_S = 1.0
#: What OpenSSL finds of a certificate (``X509_V_ERR_*``): not yet valid, expired;
_IS_NOT_OF_TODAY = (9, 10)
#: and for another name, or another address.
_IS_ANOTHERS = (62, 64)


async def greet(access: Access, address: str, within_s: float) -> None:
    """Return once a broker has answered a question as it does to whom it knows.

    Raises:
        AccessError: If it does not take this client, and says why; or there is nothing to show.
        SetupError: If it hangs up, which it does as well while it starts.
        OSError: If nobody is there; a TimeoutError if nothing is said in time.
    """
    host, _, port = address.rpartition(":")
    try:
        connection = await connected(access, host.strip("[]"), int(port), within_s)
    except (KafkaError, OSError) as error:
        refusal = _refusal(error, access, address)
        if refusal is None:
            raise
        raise refusal from error
    try:
        await connection.send(MetadataRequest([]))
    except KafkaError as error:
        raise _silence(error, access, address) from error
    finally:
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSED_WITHIN_S):
                await connection.close()


def _refusal(error: Exception, access: Access, address: str) -> BrokerError | None:
    """Return why there is no connection, or no login; None if there is just nobody."""
    match error:
        case SaslAuthenticationFailed() | UnsupportedSaslMechanismError() | IllegalSaslStateError():
            return AccessError(_no_login(error, access, address))
        case ssl.SSLCertVerificationError():
            return AccessError(_not_trusted(error, access, address))
        case KafkaError():
            return _silence(error, access, address, at_once=True)
        case ShownError():
            return AccessError(str(error))
        case ssl.SSLError() | ConnectionError() if access.speaks_tls:
            return SetupError(
                f"what listens at {address} does not speak TLS, but {_set_to(access)}: set it to "
                f"{'sasl-plaintext' if access.logs_in else 'plaintext'}, or give the port where "
                "it does"
            )
    return None


def _set_to(access: Access) -> str:
    return f"CRONSTREAM_BROKER_SECURITY={access.broker_security}"


def _no_login(error: KafkaError, access: Access, address: str) -> str:
    if isinstance(error, SaslAuthenticationFailed):
        return _not_let_in(error, access, address)
    if isinstance(error, UnsupportedSaslMechanismError):
        return (
            f"Kafka at {address} has no login by {access.broker_mechanism}: set "
            "CRONSTREAM_BROKER_MECHANISM to one that it has"
        )
    return (
        f"Kafka at {address} asks for no login, but {_set_to(access)}: set it to "
        f"{'tls' if access.speaks_tls else 'plaintext'}, or give the port where it does ask"
    )


def _not_let_in(error: KafkaError, access: Access, address: str) -> str:
    said = error.args[0] if error.args else type(error).__name__
    if access.broker_mechanism == "OAUTHBEARER":
        given = access.broker_token_file or "CRONSTREAM_BROKER_TOKEN_COMMAND"
        return f"Kafka at {address} does not take the token from {given}; it said: {said}"
    return (
        f"Kafka at {address} does not let {access.broker_user!r} in by {access.broker_mechanism}: "
        f"the password in {access.broker_password_file} is not that of CRONSTREAM_BROKER_USER, or "
        f"there is no such user; it said: {said}"
    )


def _not_trusted(error: ssl.SSLCertVerificationError, access: Access, address: str) -> str:
    certificate = f"the certificate that Kafka at {address} shows"
    if error.verify_code in _IS_NOT_OF_TODAY:
        return f"{certificate} is not valid today: renew it, or set this machine's clock"
    if error.verify_code in _IS_ANOTHERS:
        return (
            f"{certificate} is not for that name ({error.verify_message}): give CRONSTREAM_BROKER "
            "the name that it is for"
        )
    trusts = access.broker_ca or "this system"
    return (
        f"{certificate} is vouched for by nobody whom {trusts} trusts ({error.verify_message}): "
        "give the certificates of who does with CRONSTREAM_BROKER_CA"
    )


def _silence(
    error: BaseException, access: Access, address: str, *, at_once: bool = False
) -> BrokerError:
    """Return what it may be that a broker hangs up, to who has greeted it, or already before."""
    alert = _alert_in(error)
    if alert is not None:
        shown = access.broker_cert or "none"
        return AccessError(
            f"Kafka at {address} does not take the certificate of this client ({shown}; it said: "
            f"{alert}): give one that it trusts with CRONSTREAM_BROKER_CERT and _KEY"
        )
    if at_once and not access.speaks_tls:
        secured = "sasl-tls" if access.logs_in else "tls or sasl-tls"
        return SetupError(
            f"what listens at {address} hangs up at the first word: if it speaks TLS, set "
            f"CRONSTREAM_BROKER_SECURITY to {secured} (it is {access.broker_security})"
        )
    if not access.logs_in:
        secured = "sasl-tls" if access.speaks_tls else "sasl-plaintext"
        return SetupError(
            f"Kafka at {address} hangs up at the first question: if it asks for a login, set "
            f"CRONSTREAM_BROKER_SECURITY to {secured} (it is {access.broker_security})"
        )
    return SetupError(f"Kafka at {address} hangs up after the login ({_set_to(access)})")


def _alert_in(error: BaseException) -> str | None:
    """Return what a broker has said of our certificate: with TLS 1.3 only after the handshake."""
    found: Any = error
    while found is not None:
        if isinstance(found, ssl.SSLError):
            return str(found.reason or found)
        found = found.__cause__
    return None
