"""Download Kafka's jars from Maven Central: a program of its own, ``python -m`` this module.

jgo writes to stdout and its log as it likes, cannot be interrupted, and brings in modules that
are of no use later; as a child of ours it can do all that. What it has to say to a person goes
to stdout, one line each; why it failed to stderr.
"""

import dataclasses
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from jgo.maven import Artifact, MavenContext, PythonResolver
from jgo.parse import Coordinate

from cronstream.broker.jars import KAFKA_VERSION
from cronstream.broker.pins import check
from cronstream.clock import monotonic

KAFKA = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
_AT_A_TIME = 6
_SECONDS_BETWEEN_LINES = 2.0
_MEGABYTE = 1_000_000


def download(folder: Path, say: Callable[[str], None]) -> None:
    """Put every jar that Kafka needs into `folder`, checked against Maven Central's checksums.

    And against their SHA-256 as they were tested: a checksum comes from where the jar comes from.

    Raises:
        PinError: If one is not the one that was tested.
        RuntimeError: From jgo, if something is not there or has another checksum.
        OSError: If the network or the disk fails (``requests`` raises a kind of it).
    """
    context = MavenContext(
        resolver=PythonResolver(), repo_cache=folder.parent / f"{folder.name}.maven", timeout=30
    )
    say("asking Maven Central what Kafka needs ...")
    artifacts = _needed(context)
    folder.mkdir(parents=True, exist_ok=True)
    size, said_at = 0, monotonic()
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        downloads = [pool.submit(artifact.resolve) for artifact in artifacts]
        for count, done in enumerate(as_completed(downloads), start=1):
            jar: Path = done.result()
            size += jar.stat().st_size
            jar.rename(folder / jar.name)
            if monotonic() - said_at > _SECONDS_BETWEEN_LINES or count == len(downloads):
                said_at = monotonic()
                say(f"downloaded {count} of {len(downloads)} files, {size / _MEGABYTE:.0f} MB")
    check(folder)


def _needed(context: MavenContext) -> list[Artifact]:
    """Return Kafka and what its POM names, with the bridge that takes its log to log4j2.

    The bridge is in Kafka's own distribution but not in its POM. It is not resolved together with
    it: jgo then follows log4j's dependencyManagement too, and takes another kafka-clients.
    """
    kafka = dataclasses.replace(Coordinate.parse(KAFKA), scope="compile")
    given, further = context.resolver.resolve([context.create_dependency(kafka)])
    needed = [
        dependency.artifact
        for dependency in [*given, *further]
        if dependency.scope in ("compile", "runtime")
    ]
    log4j = next(artifact for artifact in needed if artifact.artifactId == "log4j-core")
    bridge = context.project(log4j.groupId, "log4j-slf4j-impl").at_version(log4j.version)
    return [*needed, bridge.artifact()]


def _print_to_parent(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    """Download into the folder that is named on the command line."""
    try:
        download(Path(sys.argv[1]), _print_to_parent)
    except (RuntimeError, ValueError, OSError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
