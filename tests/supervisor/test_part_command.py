from pathlib import Path

import pytest

from cronstream.core.wire.naming import Role
from cronstream.settings import Settings
from cronstream.supervisor.command import Installation, console_command, worker_command

HERE = Installation("kafka://127.0.0.1:9092", Path("/etc/crontab.yaml"), Path("/data"))


@pytest.mark.parametrize(
    ("role", "options"),
    [
        (Role.of(None, retry=False), ()),
        (Role.of("a", retry=False), ("--cluster", "a")),
        (Role.of("a", retry=True), ("--cluster", "a", "--retry")),
    ],
)
def test_a_part_is_started_as_a_person_would_start_it(role: Role, options: tuple[str, ...]) -> None:
    argv = worker_command(HERE, role, 6066).argv
    assert argv[1:] == ("-u", "-m", "faust", "--quiet", "-A", "cronstream", "worker", *options)


def test_a_part_is_told_where_everything_is() -> None:
    variables = worker_command(HERE, Role.of("a", retry=False), 7000).variables
    assert variables["CRONSTREAM_BROKER"] == "kafka://127.0.0.1:9092"
    assert variables["CRONSTREAM_CRONTAB"] == "/etc/crontab.yaml"
    assert variables["CRONSTREAM_DATA_DIR"] == "/data"
    assert variables["CRONSTREAM_WEB_PORT"] == "7000"
    assert "CRONSTREAM_SLOTS" not in variables


def test_a_part_is_given_nothing_that_its_commands_would_have_besides_settings() -> None:
    variables = worker_command(HERE, Role.of("a", retry=False), 7000).variables
    assert all(name.startswith("CRONSTREAM_") for name in variables)


def test_slots_are_handed_on_when_they_were_asked_for() -> None:
    here = Installation(HERE.broker, HERE.crontab, HERE.data_dir, slots=3)
    assert worker_command(here, Role.of("a", retry=False), 1).variables["CRONSTREAM_SLOTS"] == "3"


def test_a_part_tells_details_if_they_were_asked_for() -> None:
    here = Installation(HERE.broker, HERE.crontab, HERE.data_dir, is_verbose=True)
    command = worker_command(here, Role.of("a", retry=False), 1)
    assert command.argv[-2:] == ("--loglevel", "debug")
    assert command.variables["CRONSTREAM_LOG_FORMAT"] == "plain"
    brief = worker_command(HERE, Role.of("a", retry=False), 1)
    assert brief.variables["CRONSTREAM_LOG_FORMAT"] == "brief"


def test_a_role_that_the_shell_has_set_is_not_the_schedulers() -> None:
    variables = worker_command(HERE, Role.of(None, retry=False), 1).variables
    assert variables["CRONSTREAM_CLUSTER"] == ""
    assert variables["CRONSTREAM_RETRY"] == ""


@pytest.mark.parametrize(("bind", "handed_on"), [
    ("", None), ("0.0.0.0", "0.0.0.0"), ("0.0.0.0:9464", "0.0.0.0"), ("[::]:9464", "[::]"),
])  # fmt: skip
def test_parts_do_not_share_the_port_of_their_metrics(bind: str, handed_on: str | None) -> None:
    address = Settings(metrics_bind=bind).metrics_address
    host = None if address is None else address[0]
    here = Installation(HERE.broker, HERE.crontab, HERE.data_dir, metrics_host=host)
    variables = worker_command(here, Role.of("a", retry=False), 1).variables
    assert variables.get("CRONSTREAM_METRICS_BIND") == handed_on
    if handed_on is not None:
        assert Settings(metrics_bind=handed_on).metrics_address == (host, 0)


def test_a_console_is_told_where_everything_is_and_at_which_port_it_is_to_be() -> None:
    command = console_command(HERE, 6060)
    assert command.argv[-1] == "console"
    assert command.variables == {
        **worker_command(HERE, Role.of(None, retry=False), 6066).variables,
        "CRONSTREAM_WEB_PORT": "6060",
    }
