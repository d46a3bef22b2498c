"""Which clusters a worker may be asked to work for."""

import asyncio

import click
from aiokafka.errors import KafkaError

from cronstream.crontab_file import read_crontab
from cronstream.errors import CronstreamError, CrontabError, SettingsError
from cronstream.settings import settings
from cronstream.topology.reaching import probe
from cronstream.topology.reading import Reader

#: How long Kafka may take to say whether it has the logs of a cluster that no crontab names.
_ANSWERS_WITHIN_S = 10.0


def known_clusters() -> set[str] | None:
    """Return the clusters that the crontab names, or None if it cannot be read."""
    try:
        return {cluster.name for cluster in read_crontab(settings().crontab).clusters}
    except CrontabError:
        return None
    except SettingsError as error:
        raise click.UsageError(str(error)) from error


def has_logs(cluster: str) -> bool:
    """Return whether Kafka has the logs of a cluster; not, if it does not answer in time.

    Faust has no event loop yet, and makes its own: so this one leaves none behind.
    """
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(_ask(cluster))
    except (CronstreamError, KafkaError, OSError, TimeoutError):
        return False
    finally:
        loop.close()


async def _ask(cluster: str) -> bool:
    async with asyncio.timeout(_ANSWERS_WITHIN_S):
        await probe(settings())
        async with Reader(settings()) as reader:
            return reader.names.retry_log(cluster) in await reader.topics()
