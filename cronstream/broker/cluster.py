"""Several embedded Kafkas that are one cluster: for trying what the loss of a broker does.

For tests and chaos only: three brokers on one machine are no safer than one.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from cronstream.broker.embedded import EmbeddedBroker
from cronstream.broker.formatting import new_cluster_id
from cronstream.broker.guard import Guard
from cronstream.broker.layout import Membership
from cronstream.broker.ports import free_port
from cronstream.broker.probe import quorum_leader
from cronstream.errors import BrokerError
from cronstream.settings import Settings
from cronstream.topology.client import new_admin

_IN_SYNC_WITHIN_S = 60.0
_LOOK_AGAIN_S = 0.2


class EmbeddedCluster:
    """One or more brokers, each a controller too; of three, any one may be lost.

    Attributes:
        brokers: By node id, from 1.
    """

    def __init__(
        self,
        data_dir: Path,
        size: int,
        *,
        guard: Guard,
        say: Callable[[str], None],
        jar_cache: Path | None = None,
    ) -> None:
        voters = {node_id: free_port() for node_id in range(1, size + 1)}
        cluster_id = new_cluster_id()
        self.brokers = {
            node_id: EmbeddedBroker(
                data_dir / f"broker-{node_id}",
                free_port(),
                guard=guard,
                say=partial(_say_for, say, node_id),
                jar_cache=jar_cache,
            )
            for node_id in voters
        }
        for node_id, broker in self.brokers.items():
            broker.membership = Membership(node_id, voters, cluster_id)

    @property
    def url(self) -> str:
        """All addresses, as ``CRONSTREAM_BROKER`` takes them."""
        return ";".join(broker.url for broker in self.brokers.values())

    async def start(self) -> None:
        """Start all of them, and wait until each serves.

        Raises:
            BrokerError: If one does not come to that; none is left running then.
        """
        first, *others = self.brokers.values()
        # One downloads the jars; the others find them.
        await first.prepare()
        try:
            await asyncio.gather(*(broker.start() for broker in (first, *others)))
        except BaseException:
            await self.kill()
            raise

    async def kill(self) -> None:
        """End all of them at once; a majority that has gone could not be left in good order."""
        await asyncio.gather(*(broker.kill() for broker in self.brokers.values()))

    async def until_in_sync(self) -> None:
        """Wait until every copy of every partition has all of it: then one more may be lost.

        Raises:
            BrokerError: If it does not come to that.
        """
        admin = new_admin(Settings(broker=self.url))
        await admin.start()
        try:
            async with asyncio.timeout(_IN_SYNC_WITHIN_S):
                await _until_in_sync(admin)
        except TimeoutError as error:
            raise BrokerError(f"copies are out of sync for {_IN_SYNC_WITHIN_S:g} s") from error
        finally:
            await admin.close()

    async def controller(self) -> int | None:
        """Return the node that leads the quorum; None if none answers, or there is none now."""
        for broker in self.brokers.values():
            if broker.pid is not None:
                leader = await quorum_leader(broker.port)
                if leader is not None:
                    return leader
        return None


async def _until_in_sync(admin: Any) -> None:
    while True:
        if await _are_in_sync(admin):
            return
        await asyncio.sleep(_LOOK_AGAIN_S)


async def _are_in_sync(admin: Any) -> bool:
    topics = await admin.describe_topics()
    return all(set(p["isr"]) == set(p["replicas"]) for t in topics for p in t["partitions"])


def _say_for(say: Callable[[str], None], node_id: int, line: str) -> None:
    say(f"broker {node_id}: {line}")
