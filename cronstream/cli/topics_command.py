"""``cronstream topics``: every topic of an installation, so that it can be made beforehand."""

import click
from aiokafka.errors import KafkaError

from cronstream.cli import coroutine
from cronstream.cli.connection import connections
from cronstream.cli.output import emit, emit_json, json_option, say
from cronstream.cli.several_clusters import clusters_option, clusters_or_all
from cronstream.errors import BrokerError
from cronstream.settings import Settings, settings
from cronstream.topology.refusals import by_hand
from cronstream.topology.topics import TopicSpec, all_topics, ensure_topics


@click.command
@clusters_option
@click.option("--create", is_flag=True, help="Create those that are missing, and check the others.")
@json_option
def topics(*, cluster: tuple[str, ...], create: bool, as_json: bool) -> None:
    """Print, or create, every topic that processes need, those of Faust's tables among them.

    Then no process needs the right to create one. Without --cluster it is for all clusters of the
    crontab. What is printed are commands that create them as they have to be.
    """
    chosen = settings()
    specs = all_topics(clusters_or_all(cluster), chosen)
    if create:
        for note in coroutine.run(_create(specs, chosen)):
            say(note)
        say(f"all {len(specs)} topics are there, as they have to be")
        return
    for spec in specs:
        if as_json:
            emit_json(_fields(spec, chosen))
        else:
            size = spec.partitions, chosen.replication_factor
            command = by_hand(spec.name, spec.full_config(chosen), size)
            emit(command.replace("kafka-topics ", "kafka-topics.sh --bootstrap-server BROKER ", 1))


async def _create(specs: list[TopicSpec], chosen: Settings) -> list[str]:
    await connections().probe(chosen)
    try:
        return await ensure_topics(specs, chosen)
    except (KafkaError, OSError) as error:
        raise BrokerError(f"Kafka has failed: {str(error) or type(error).__name__}") from error


def _fields(spec: TopicSpec, chosen: Settings) -> dict[str, object]:
    return {
        "topic": spec.name,
        "partitions": spec.partitions,
        "replication_factor": chosen.replication_factor,
        "config": spec.full_config(chosen),
    }
