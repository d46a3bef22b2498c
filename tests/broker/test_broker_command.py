"""``cronstream broker`` as a person starts it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from aiokafka.client import AIOKafkaClient

from cronstream.broker.ports import free_port
from cronstream.settings import child_environment, settings

pytestmark = pytest.mark.integration

PROGRAM = "from cronstream.cli.broker_command import broker; broker()"


@contextmanager
def a_broker(data_dir: Path, port: int, *more: str) -> Iterator[subprocess.Popen[str]]:
    jars = settings().jars
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "--port", str(port), "--data-dir", str(data_dir), *more],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=child_environment(CRONSTREAM_JAR_CACHE=str(jars)),
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def jvm_of(process: subprocess.Popen[str]) -> psutil.Process:
    children = psutil.Process(process.pid).children()
    [jvm] = [child for child in children if "kafka.Kafka" in child.cmdline()]
    return jvm


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_says_its_address_when_it_is_ready_and_ends_with_a_signal(
    tmp_path: Path, number: signal.Signals
) -> None:
    port = free_port()
    with a_broker(tmp_path, port) as process:
        assert first_line(process) == f"127.0.0.1:{port}"
        jvm = jvm_of(process)
        process.send_signal(number)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 0, said
        assert not jvm.is_running()
        assert f"Kafka is ready at 127.0.0.1:{port}, in " in said
        assert "Traceback" not in said


def test_a_second_ctrl_c_kills_it(tmp_path: Path) -> None:
    with a_broker(tmp_path, free_port()) as process:
        first_line(process)
        jvm = jvm_of(process)
        jvm.suspend()  # so that it cannot end by itself
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        while "stopping" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 130
        assert not jvm.is_running()


def test_a_kafka_that_ends_by_itself_is_told_of(tmp_path: Path) -> None:
    with a_broker(tmp_path, free_port()) as process:
        first_line(process)
        os.kill(jvm_of(process).pid, signal.SIGKILL)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 1
        assert "Kafka ended by itself with status -9" in said


async def test_another_machine_comes_by_its_own_listener_and_is_sent_back_to_it(
    tmp_path: Path,
) -> None:
    port, other = free_port(), free_port()
    listen = ("--listen", f"127.0.0.2:{other}", "--advertise", f"localhost:{other}")
    with a_broker(tmp_path, port, *listen) as process:
        assert first_line(process) == f"localhost:{other}"
        assert await _told_by(f"127.0.0.2:{other}") == ("localhost", other)
        assert await _told_by(f"127.0.0.1:{port}") == ("127.0.0.1", port)
        with pytest.raises(OSError, match="onnect"):
            socket.create_connection(("127.0.0.1", other), timeout=1)


async def _told_by(address: str) -> tuple[str, int]:
    """Return the host and port that a broker at an address tells its clients."""
    client = AIOKafkaClient(bootstrap_servers=address)
    await client.bootstrap()
    try:
        [broker] = client.cluster.brokers()
        return broker.host, broker.port
    finally:
        await client.close()
