"""Commands load what they need, and no more, as quickly as that goes."""

import subprocess
import sys

import pytest

#: Each costs a good part of what a command takes to start, and none of these commands needs it.
_NEEDLESS = (
    "aiohttp",
    "aiokafka.admin",
    "cronstream.application",
    "cronstream.broker",
    "cronstream.executor",
    "cronstream.scheduler",
    "cronstream.worker",
    "faust.app",
    "faust.cli",
    "faust.web",
    "jinja2",
    "mode.worker",
    "rich",
    "ruamel",
)
_READS_LEDGERS = ("runs", "show", "discarded", "audit", "cancel", "run-now")


def outcome(script: str) -> str:
    """Return what a fresh interpreter prints on standard error."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; from cronstream.cli.main import main\n{script}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stderr.strip()


def test_commands_that_read_the_ledgers_load_nothing_that_they_do_not_need() -> None:
    script = (
        f"for name in {_READS_LEDGERS!r}: main([name, '--help'], standalone_mode=False)\n"
        f"loaded = [m for m in {_NEEDLESS!r} if m in sys.modules]\n"
        "print(loaded, file=sys.stderr)"
    )
    assert outcome(script) == "[]"


@pytest.mark.parametrize("name", ["runs", "jobs"])
def test_a_command_leaves_the_real_http_client_to_whoever_loads_it_later(name: str) -> None:
    script = (
        f"main([{name!r}, '--help'], standalone_mode=False)\n"
        "assert not [m for m in sys.modules if m.startswith('aiohttp')], 'it costs a fifth'\n"
        "import aiohttp, aiohttp.client; assert aiohttp.client.ClientSession.get\n"
        "import cronstream.application"
    )
    outcome(script)


def test_what_a_command_has_loaded_is_out_of_the_garbage_collectors_sight_for_good() -> None:
    script = (
        "import gc\n"
        "main(['runs', '--help'], standalone_mode=False)\n"
        "assert gc.isenabled(), 'what the command itself makes is looked after'\n"
        "assert gc.get_freeze_count() > 20 * len(gc.get_objects()), 'else it takes a third more'"
    )
    outcome(script)
