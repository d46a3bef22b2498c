"""Prometheus' JMX exporter in a broker (docs/monitoring.md): what Kafka says of itself.

Its jar is downloaded from Maven Central once, into the user's cache, and checked against the
SHA-256 of the one that was tried.
"""

from collections.abc import Iterable
from pathlib import Path

import platformdirs
from filelock import FileLock
from jgo.maven import MavenContext, PythonResolver

from chaos.shortened import ROOT
from cronstream.broker.embedded import EmbeddedBroker
from cronstream.broker.pins import check
from cronstream.broker.ports import HOST, free_port

VERSION = "1.0.1"
_SHA_256 = "7d61f737fd661610ccc14aea79764faa1ea94a340cbc8f0029b3d2edea3d80c1"
_CONFIGURATION = ROOT / "ops" / "kafka" / "jmx-exporter.yml"
_CACHE = platformdirs.user_cache_path("cronstream") / "programs"
_TIMEOUT_S = 30


def attach(brokers: Iterable[EmbeddedBroker], jar: Path) -> list[str]:
    """Have brokers that are not started yet speak to Prometheus; return where each does."""
    addresses = []
    for broker in brokers:
        address = f"{HOST}:{free_port()}"
        broker.flags = (f"-javaagent:{jar}={address}:{_CONFIGURATION}",)
        addresses.append(address)
    return addresses


def exporter(cache: Path = _CACHE) -> Path:
    """Return the exporter's jar.

    Raises:
        RuntimeError: From jgo, if it is neither there nor to be had.
        PinError: It is not the one that was tried.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "lock"):
        maven = MavenContext(PythonResolver(), repo_cache=cache / "maven", timeout=_TIMEOUT_S)
        project = maven.project("io.prometheus.jmx", "jmx_prometheus_javaagent")
        jar: Path = project.at_version(VERSION).artifact().resolve()
    check(jar.parent, {jar.name: _SHA_256})
    return jar
