"""Each process of an installation has a web port of its own, also if all start at once."""

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing

import pytest

from cronstream.core.wire.naming import Role
from cronstream.errors import SettingsError
from cronstream.fitted.to_faust.web import bind_metrics, bind_web

HERE = "127.0.0.1"
SCHEDULER, WORKER = Role.of(None, retry=False), Role.of("a", retry=False)
CHOOSE = """
import sys
from cronstream.fitted.to_faust.web import bind_web
from cronstream.core.wire.naming import Role
bound = bind_web("127.0.0.1", None, Role.of(None, retry=False))
print(bound.getsockname()[1], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def kept() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def port_of(bound: socket.socket) -> int:
    return int(bound.getsockname()[1])


def test_schedulers_that_start_together_choose_different_ports() -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", CHOOSE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    ports = [process.stdout.readline() for process in started if process.stdout is not None]
    for process in started:
        process.communicate()
    assert len(set(ports)) == 3
    assert all(int(port) > 0 for port in ports)


def test_a_port_that_is_chosen_answers_at_once_and_is_free_again_at_the_end() -> None:
    with closing(bind_web(HERE, None, WORKER)) as bound:
        port = port_of(bound)
        assert port > 6066
        socket.create_connection((HERE, port), timeout=5).close()
    bind_web(HERE, port, WORKER).close()


def test_what_another_program_listens_at_is_passed_over(kept: ExitStack) -> None:
    others = [kept.enter_context(closing(bind_web(HERE, None, SCHEDULER))) for _ in range(3)]
    mine = kept.enter_context(closing(bind_web(HERE, None, SCHEDULER)))
    assert port_of(mine) not in map(port_of, others)


def test_a_port_that_is_asked_for_and_in_use_is_told_with_the_remedy(kept: ExitStack) -> None:
    taken = kept.enter_context(closing(bind_web(HERE, None, WORKER)))
    with pytest.raises(SettingsError, match=r"web port \d+ cannot be taken at 127.0.0.1 \(address"):
        bind_web(HERE, port_of(taken), WORKER)


def test_an_address_of_another_machine_is_told_for_what_it_is() -> None:
    with pytest.raises(SettingsError, match=r"no web port .* 192.0.2.1 .*CRONSTREAM_WEB_BIND"):
        bind_web("192.0.2.1", None, SCHEDULER)


def test_metrics_have_the_port_that_is_asked_for_or_one_that_is_free(kept: ExitStack) -> None:
    mine = kept.enter_context(closing(bind_metrics(HERE, 0)))
    other = kept.enter_context(closing(bind_metrics(HERE, 0)))
    assert 9464 <= port_of(mine) < port_of(other)
    with pytest.raises(SettingsError) as told:
        bind_metrics(HERE, port_of(mine))
    assert str(told.value) == (
        f"CRONSTREAM_METRICS_BIND: port {port_of(mine)} cannot be taken at 127.0.0.1 (address "
        "already in use): give another, or the address alone for one that is free"
    )
    with pytest.raises(SettingsError, match=r"no port can be taken at 192.0.2.1 "):
        bind_metrics("192.0.2.1", 0)
