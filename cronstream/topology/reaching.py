"""Whether anything listens where Kafka is said to be, before a client of Kafka's tries for long."""

import asyncio

from cronstream.errors import UnreachableError

_PROBE_S = 3.0


async def probe(bootstrap: list[str]) -> None:
    """Return once any of the brokers accepts a connection.

    Kafka's client would try for as long as a minute, and say no more in the end.

    Raises:
        UnreachableError: If none does.
    """
    faults = []
    for address in bootstrap:
        host, _, port = address.rpartition(":")
        try:
            async with asyncio.timeout(_PROBE_S):
                _, writer = await asyncio.open_connection(host.strip("[]"), int(port))
        except TimeoutError:
            faults.append(f"{address}: no answer within {_PROBE_S:.0f} s")
        except (OSError, ValueError) as error:
            faults.append(f"{address}: {error}")
        else:
            writer.close()
            return
    raise UnreachableError(
        f"no Kafka answers ({'; '.join(faults)})",
        "start one with 'cronstream up', or say where it is with --broker or CRONSTREAM_BROKER",
    )
