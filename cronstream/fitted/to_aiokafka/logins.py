"""Has aiokafka log in with what holds at that moment, and say that it is not let in any more.

aiokafka (0.14) is given a password and certificates once, when a client is made, and hands them on
to each connection as they are: a client lives for months, and a password does not. So a client may
be given functions in their place, which are called before each connection. For tokens aiokafka has
a way itself, but takes a broker's refusal for its consent (RFC 7628, 3.2.3): it is known by what
the broker says, where it has nothing to say to a token that it takes.

`topology.greeting` reports who is not let in when a process starts. Later aiokafka takes it for
a broker that is away, and asks on; its own lines of that are too many.
"""

import asyncio
import logging
import ssl
from typing import Any

from aiokafka.conn import OAuthAuthenticator
from aiokafka.errors import SaslAuthenticationFailed

from cronstream import clock
from cronstream.fitted.to_aiokafka.bootstrap import AtStart
from cronstream.logs import fields

logger = logging.getLogger(__name__)

#: It is asked many times a second; people are informed so often.
_LOG_EVERY_S = 30.0

_TOKENS: Any = OAuthAuthenticator  # there is no public way in
_step = _TOKENS.step


class ShownError(OSError):
    """There is nothing to show Kafka; the sentence names the setting that says where it is."""


class LastLogged:
    """When it was reported last that this process is not let in, for all its clients."""

    at = float("-inf")


async def renew(connection: Any) -> None:
    """Give a connection, before it connects, what holds now.

    Raises:
        ShownError: If that cannot be read.
    """
    context, password = connection._ssl_context, connection._sasl_plain_password
    if callable(context):
        connection._ssl_context = await asyncio.to_thread(context)
    if callable(password):
        connection._sasl_plain_password = await asyncio.to_thread(password)


def log_refusal(connection: Any, error: Exception) -> None:
    """Say why there is no connection, if waiting does not mend it, and a process has begun."""
    is_refusal = isinstance(
        error, SaslAuthenticationFailed | ssl.SSLCertVerificationError | ShownError
    )
    now = clock.monotonic()
    if AtStart.waits and is_refusal and now - LastLogged.at >= _LOG_EVERY_S:
        LastLogged.at = now
        logger.warning(
            "Kafka at %s:%s does not let this process in any more, which goes on asking: %s",
            connection.host,
            connection.port,
            error,
            extra=fields("not-let-in"),
        )


async def _step_or_be_refused(tokens: Any, said: bytes | None) -> Any:
    """Return what is to be sent next, if anything.

    Raises:
        SaslAuthenticationFailed: If the broker has said that it does not take the token.
    """
    if tokens._token_sent and said:
        raise SaslAuthenticationFailed(said.decode(errors="replace"))
    return await _step(tokens, said)


def notice_refused_tokens() -> None:
    """Mend all logins by token that this process makes from now on."""
    _TOKENS.step = _step_or_be_refused
