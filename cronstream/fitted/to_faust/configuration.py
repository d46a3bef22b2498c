"""Faust's own settings, as this application needs them; for why see docs/design/choices.md."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from faust.app import BootStrategy
from faust.auth import Credentials, OAuthCredentials, SASLCredentials, SSLCredentials

from cronstream.core.timing import SESSION_S
from cronstream.core.wire.naming import Role
from cronstream.fitted.to_faust.assignment import Assignor
from cronstream.fitted.to_faust.monitoring import NoMonitor
from cronstream.fitted.to_faust.routing import JobRouter
from cronstream.fitted.to_faust.tables import KeptTable, PatientTables
from cronstream.settings import Settings
from cronstream.topology.client import security

#: The same in each process.
COMMON: Mapping[str, Any] = MappingProxyType(
    {
        "env_prefix": "CRONSTREAM_FAUST_",
        "PartitionAssignor": Assignor,
        "Monitor": NoMonitor,
        "Router": JobRouter,
        "Table": KeptTable,
        "TableManager": PatientTables,
        "broker_session_timeout": SESSION_S,
        "broker_rebalance_timeout": 10,
        "broker_max_poll_interval": 315_360_000,
        # All topics are made, and checked, before Faust starts.
        "topic_allow_declare": False,
        "table_standby_replicas": 0,
        "stream_wait_empty": False,
        "web_bind": "127.0.0.1",
        # They show who is where to whoever asks, and nobody needs them.
        "web_router_enabled": False,
        "web_graph_enabled": False,
        "web_stats_enabled": False,
        "web_metrics_enabled": False,
    }
)


#: Between two commits: who dies leaves so much to be read again. Of a tick nothing comes then, and
#: what follows a run of another cluster is dropped where it has come before.
_COMMIT_S, _COMMIT_TICKS_S = 1, 4


#: Between two heartbeats: that a rebalance begins, a member hears by the next. Half a second is
#: nothing to a scheduler, so far ahead does it publish.
_BEAT_S, _BEAT_SCHEDULER_S = 0.5, 1.0


class Boot(BootStrategy):
    """Which services Faust starts: no producer of its own, for the tables have `Changelog`."""

    enable_kafka_producer = False


def configure(conf: Any, role: Role, settings: Settings) -> None:
    """Set what a role makes of the settings."""
    conf.id = settings.names.group(role)
    conf.broker_heartbeat_interval = _BEAT_S if role.cluster else _BEAT_SCHEDULER_S
    conf.broker_commit_interval = _COMMIT_S if role.cluster else _COMMIT_TICKS_S
    conf.broker = settings.broker
    conf.broker_credentials = _credentials(settings)
    conf.datadir = str(settings.data_dir / "processes" / settings.names.group(role))
    conf.web_bind = settings.web_bind
    conf.topic_replication_factor = settings.replication_factor
    conf.topic_partitions = settings.partitions if role.cluster else settings.shards


def _credentials(settings: Settings) -> Credentials | None:
    """Return what is spoken with Kafka, in Faust's words, which it turns into aiokafka's."""
    words = security(settings)
    context = words.get("ssl_context")
    match words.get("sasl_mechanism"):
        case None:
            return None if context is None else SSLCredentials(context)
        case "OAUTHBEARER":
            tokens = words["sasl_oauth_token_provider"]
            return OAuthCredentials(oauth_cb=tokens, ssl_context=context)
        case mechanism:
            return SASLCredentials(
                username=words["sasl_plain_username"],
                password=words["sasl_plain_password"],
                ssl_context=context,
                mechanism=mechanism,
            )
