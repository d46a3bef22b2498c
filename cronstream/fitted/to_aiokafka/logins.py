"""Has aiokafka log in with what holds at that moment, and notice that a token was not taken.

aiokafka (0.14) is given a password and certificates once, when a client is made, and hands them on
to each connection as they are: a client lives for months, and a password does not. So a client may
be given functions in their place, which are called before each connection. For tokens aiokafka has
a way itself, but takes a broker's refusal for its consent (RFC 7628, 3.2.3): it is told by what the
broker says, where it has nothing to say to a token that it takes.
"""

import asyncio
from typing import Any

from aiokafka.conn import OAuthAuthenticator
from aiokafka.errors import SaslAuthenticationFailed

_TOKENS: Any = OAuthAuthenticator  # there is no public way in
_step = _TOKENS.step


async def renew(connection: Any) -> None:
    """Give a connection, before it connects, what holds now.

    Raises:
        OSError: If that cannot be read.
    """
    context, password = connection._ssl_context, connection._sasl_plain_password
    if callable(context):
        connection._ssl_context = await asyncio.to_thread(context)
    if callable(password):
        connection._sasl_plain_password = await asyncio.to_thread(password)


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
