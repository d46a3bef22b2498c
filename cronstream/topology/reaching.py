"""Whether Kafka answers where it is said to be, before a client of Kafka's tries for long."""

import asyncio

from cronstream.access import Access
from cronstream.errors import AccessError, SetupError, UnreachableError
from cronstream.topology.greeting import greet

_PROBE_S = 3.0
#: A handshake and a login take their time, of a broker that has much to do.
_GREETED_WITHIN_S = 10.0


async def probe(access: Access) -> None:
    """Return once any of the brokers has taken this client, and answered it.

    Kafka's client would try for as long as a minute, and say no more in the end.

    Raises:
        AccessError: If a broker does not take it, and says why.
        SetupError: If one is there that hangs up.
        UnreachableError: If none is there.
    """
    silent: list[str] = []
    refusal: SetupError | None = None
    for address in access.bootstrap:
        try:
            await _look(address)
            await greet(access, address, _GREETED_WITHIN_S)
        except TimeoutError:
            silent.append(f"{address}: what listens there does not answer as a broker does")
        except AccessError:
            raise
        except SetupError as error:
            refusal = error
        except (OSError, ValueError) as error:
            silent.append(f"{address}: {error}")
        else:
            return
    if refusal is not None:
        raise refusal
    raise UnreachableError(
        f"no Kafka answers ({'; '.join(silent)})",
        "start one with 'cronstream up', or say where it is with --broker or CRONSTREAM_BROKER",
    )


async def _look(address: str) -> None:
    """Return if anything listens there; raises OSError if nothing does, or that is not known."""
    host, _, port = address.rpartition(":")
    try:
        async with asyncio.timeout(_PROBE_S):
            _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
    except TimeoutError as error:
        raise OSError(f"no answer within {_PROBE_S:.0f} s") from error
    writer.close()
