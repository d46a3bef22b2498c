"""What of Faust and aiokafka the fitted modules build on, as it was when they were last looked at.

Each line names a module of `cronstream.fitted`, and what in the library it replaces, wraps, extends
or reaches into, with a digest of the source. A digest that differs says no more than that somebody
has to look: compare the two versions of what it names, mend the module if need be, run its tests,
and put the new digest here. ``python -m tests.fitted.fits`` prints all of them.
"""

import ast
import hashlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

#: The releases that all of it was made for, and is tested with.
MADE_FOR = {"aiokafka": "0.14.0", "faust-streaming": "0.15.3"}


@dataclass(frozen=True, slots=True)
class Fit:
    """What one module builds on.

    Attributes:
        module: The module, below `cronstream.fitted`.
        library: The library's module.
        name: What in it: a function, or a class and its method.
        digest: Of its source.
    """

    module: str
    library: str
    name: str
    digest: str


FITS = (
    Fit("to_aiokafka.bootstrap", "aiokafka.client", "AIOKafkaClient.bootstrap", "345e4c29fc22"),
    Fit(
        "to_aiokafka.bootstrap",
        "aiokafka.client",
        "AIOKafkaClient._metadata_update",
        "8ac65fcf94a1",
    ),
    Fit("to_aiokafka.connections", "aiokafka.conn", "AIOKafkaConnection.connect", "6ad90bc88929"),
    Fit(
        "to_aiokafka.counting",
        "aiokafka.producer.transaction_manager",
        "TransactionManager.increment_sequence_number",
        "e7fc4c8c818b",
    ),
    Fit(
        "to_aiokafka.counting",
        "aiokafka.producer.sender",
        "SendProduceReqHandler.do",
        "d4aa2a51a3a3",
    ),
    Fit(
        "to_aiokafka.counting",
        "aiokafka.producer.message_accumulator",
        "MessageAccumulator._pop_batch",
        "7fbc36816e81",
    ),
    Fit("to_aiokafka.hanging", "aiokafka.conn", "AIOKafkaConnection.send", "3587057dfb1e"),
    Fit("to_aiokafka.hanging", "aiokafka.conn", "AIOKafkaConnection._handle_frame", "dfa49ba2f503"),
    Fit("to_aiokafka.hanging", "aiokafka.conn", "AIOKafkaConnection.close", "553acfb3f3f1"),
    Fit(
        "to_aiokafka.leaders",
        "aiokafka.consumer.fetcher",
        "Fetcher._proc_offset_request",
        "f7f990f18886",
    ),
    Fit(
        "to_aiokafka.leaders",
        "aiokafka.consumer.fetcher",
        "Fetcher._update_fetch_positions",
        "4401abb57665",
    ),
    Fit(
        "to_aiokafka.leaders",
        "aiokafka.consumer.fetcher",
        "Fetcher._get_actions_per_node",
        "ac50ec79eb3f",
    ),
    Fit(
        "to_aiokafka.resting",
        "aiokafka.consumer.fetcher",
        "Fetcher._fetch_requests_routine",
        "aa6b3ee60a22",
    ),
    Fit("to_aiokafka.resting", "aiokafka.consumer.fetcher", "Fetcher.seek_to", "14c7d60bbd89"),
    Fit("to_aiokafka.logins", "aiokafka.conn", "AIOKafkaConnection.__init__", "408b5d611e63"),
    Fit(
        "to_aiokafka.logins",
        "aiokafka.conn",
        "AIOKafkaConnection._do_sasl_handshake",
        "7ce3e92cef61",
    ),
    Fit("to_aiokafka.logins", "aiokafka.conn", "OAuthAuthenticator.step", "23f2b22df2fb"),
    Fit("to_aiokafka.logins", "aiokafka.client", "AIOKafkaClient.__init__", "b37e00dc4168"),
    Fit("to_aiokafka.clients", "aiokafka.client", "AIOKafkaClient.set_topics", "9ec7020ed19b"),
    Fit(
        "to_aiokafka.clients",
        "aiokafka.client",
        "AIOKafkaClient.force_metadata_update",
        "d62d6ec619db",
    ),
    Fit(
        "to_aiokafka.clients",
        "aiokafka.client",
        "AIOKafkaClient.fetch_all_metadata",
        "0be4b4d0f7a6",
    ),
    Fit(
        "to_aiokafka.clients",
        "aiokafka.consumer.consumer",
        "AIOKafkaConsumer.__init__",
        "31e4c0de6d72",
    ),
    Fit(
        "to_aiokafka.clients", "aiokafka.consumer.consumer", "AIOKafkaConsumer.stop", "8528931e883a"
    ),
    Fit(
        "to_aiokafka.clients",
        "aiokafka.producer.message_accumulator",
        "MessageAccumulator.drain_by_nodes",
        "e9bb55dc2ea9",
    ),
    Fit(
        "to_aiokafka.clients", "aiokafka.producer.sender", "Sender._sender_routine", "2df89e88581a"
    ),
    Fit(
        "to_aiokafka.clients",
        "aiokafka.admin.client",
        "AIOKafkaAdminClient._send_request",
        "f22c6873ed66",
    ),
    Fit(
        "to_aiokafka.clients",
        "aiokafka.consumer.group_coordinator",
        "GroupCoordinator.__init__",
        "8275d1226644",
    ),
    Fit("to_faust.app", "faust.app.base", "App._new_transport", "9e64baf6fd6a"),
    Fit("to_faust.app", "faust.app.base", "App._new_web", "e03ea49709a2"),
    Fit(
        "to_faust.assignment",
        "faust.assignor.partition_assignor",
        "PartitionAssignor._perform_assignment",
        "a3bc2b6243bc",
    ),
    Fit(
        "to_faust.assignment",
        "faust.assignor.partition_assignor",
        "PartitionAssignor._get_copartitioned_groups",
        "2adc35a1eef3",
    ),
    Fit("to_faust.commands", "faust.cli.base", "Command.as_click_command", "c2192dae2b32"),
    Fit("to_faust.commands", "faust.cli.base", "AppCommand.__init__", "92c48ff4def8"),
    Fit("to_faust.commands", "faust.cli.model", "model.model_fields", "36016fffcee3"),
    Fit("to_faust.commands", "faust.cli.model", "model._type", "e4e3774065fb"),
    Fit("to_faust.commands", "faust.cli.model", "model.run", "e2d2ef13372a"),
    Fit("to_faust.commands", "faust.cli.worker", "worker.as_service", "bb7ab6eb1444"),
    Fit("to_faust.commands", "faust.cli.worker", "worker._init_worker_options", "ed0a8ac02a1d"),
    Fit("to_faust.commands", "faust.cli.worker", "worker._banner_data", "2a125a108c9c"),
    Fit(
        "to_faust.configuration",
        "faust.transport.drivers.aiokafka",
        "credentials_to_aiokafka_auth",
        "cfa7f36ab1fd",
    ),
    Fit("to_faust.configuration", "faust.app.base", "BootStrategy", "9d45cf73359f"),
    Fit(
        "to_faust.consuming",
        "faust.transport.consumer",
        "ThreadDelegateConsumer._getmany",
        "2b6672f6c3c5",
    ),
    Fit("to_faust.consuming", "faust.transport.drivers.aiokafka", "Transport", "7a5d7f022541"),
    Fit(
        "to_faust.consuming",
        "faust.transport.consumer",
        "Consumer._commit_livelock_detector",
        "3bc566e88bdf",
    ),
    Fit("to_faust.consuming", "mode.threads", "ServiceThread._thread_keepalive", "574d3dd3dda4"),
    Fit("to_faust.consuming", "mode.threads", "ServiceThread._keepalive2", "6a28d459179e"),
    Fit("to_faust.consuming", "mode.threads", "MethodQueue.call", "77c32d00f148"),
    Fit("to_faust.consuming", "mode.threads", "MethodQueue._process_enqueued", "43ecfb263d88"),
    Fit(
        "to_faust.consuming",
        "mode.threads",
        "MethodQueueWorker._method_queue_do_work",
        "a5428d5f2638",
    ),
    Fit("to_faust.consuming", "mode.threads", "QueueServiceThread.method_queue", "7929d73635f6"),
    Fit(
        "to_faust.monitoring",
        "faust.transport.consumer",
        "Consumer._commit_offsets",
        "01d713e6896c",
    ),
    Fit("to_faust.monitoring", "faust.app.base", "App.monitor", "3bb76a776d08"),
    Fit(
        "to_faust.group",
        "faust.transport.drivers.aiokafka",
        "AIOKafkaConsumerThread.on_start",
        "03715c3bd9ce",
    ),
    Fit(
        "to_faust.group",
        "faust.transport.consumer",
        "ThreadDelegateConsumer.__init__",
        "715814ce37c5",
    ),
    Fit("to_faust.records", "faust.models.base", "Model._init_subclass", "107af64d9801"),
    Fit("to_faust.records", "faust.models.record", "Record.__init_subclass__", "7b66acdbc909"),
    Fit("to_faust.records", "faust.models.record", "Record._contribute_to_options", "4f28217d47eb"),
    Fit("to_faust.records", "faust.models.record", "Record._contribute_methods", "7271f4001b0f"),
    Fit("to_faust.records", "faust.models.record", "Record._BUILD_asdict", "387a8d8dd724"),
    Fit("to_faust.routing", "faust.app.router", "Router.key_store", "3141b178b0bc"),
    Fit(
        "to_faust.routing",
        "faust.assignor.partition_assignor",
        "PartitionAssignor.key_store",
        "d4a27b05003b",
    ),
    Fit("to_faust.tables", "faust.stores.memory", "Store", "e7687e154290"),
    Fit("to_faust.tables", "faust.tables.base", "Collection._new_store", "f87a8c4e8866"),
    Fit("to_faust.tables", "faust.tables.base", "Collection.send_changelog", "423a646ec5e3"),
    Fit("to_faust.tables", "faust.tables.base", "Collection.partition_for_key", "6ae8aeaa3567"),
    Fit("to_faust.tables", "faust.tables.manager", "TableManager.recovery", "2d1f5444084d"),
    Fit("to_faust.tables", "faust.tables.recovery", "Recovery._wait", "794be6e54ea5"),
    Fit("to_faust.tables", "faust.tables.recovery", "Recovery._build_highwaters", "881584f42842"),
    Fit("to_faust.tables", "faust.tables.recovery", "Recovery._build_offsets", "f7626a56c3b2"),
    Fit("to_faust.tables", "faust.tables.recovery", "Recovery._seek_offsets", "b50747ac17bf"),
    Fit("to_faust.tables", "faust.tables.recovery", "Recovery._restart_recovery", "597f90c1743b"),
    Fit("to_faust.web", "faust.web.drivers.aiohttp", "Web._new_transport_tcp", "40aa1c37410d"),
)


@cache
def _parsed(library: str) -> tuple[str, ast.Module]:
    spec = importlib.util.find_spec(library)
    assert spec is not None, f"there is no module {library} any more"
    assert spec.origin is not None
    text = Path(spec.origin).read_text()
    return text, ast.parse(text)


def digest(library: str, name: str) -> str:
    """Return a digest of something's source, or words where there is no such thing any more.

    It is read from the file: what is loaded may have been mended by now.
    """
    text, place = _parsed(library)
    found: ast.AST = place
    for part in name.split("."):
        inside = [node for node in _definitions(found) if node.name == part]
        if not inside:
            return "is no more"
        found = inside[-1]
    source = ast.get_source_segment(text, found)
    assert source is not None
    return hashlib.sha256(source.encode()).hexdigest()[:12]


def _definitions(
    place: ast.AST,
) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.iter_child_nodes(place):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


if __name__ == "__main__":
    for fit in FITS:
        print(f"{digest(fit.library, fit.name)}  {fit.library}.{fit.name}  ({fit.module})")
