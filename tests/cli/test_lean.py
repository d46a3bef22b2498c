"""Commands load what they need, and no more, as quickly as that goes."""

import subprocess
import sys

#: Each costs a good part of what a command takes to start, and none of these commands needs it.
_NEEDLESS = (
    "aiohttp",
    "aiokafka.admin",
    "cronstream.application",
    "cronstream.broker",
    "cronstream.executor",
    "cronstream.scheduler",
    "cronstream.worker",
    "faust",
    "jinja2",
    "mode",
    "rich",
    "ruamel",
)
_READS_CRONTAB = ("check", "import", "jobs", "next", "plan", "schema")
_READS_LEDGERS = ("runs", "show", "discarded", "audit", "cancel", "run-now", "history")


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


def test_commands_about_the_crontab_load_neither_faust_nor_kafkas_client() -> None:
    script = (
        f"for name in {_READS_CRONTAB!r}: main([name, '--help'], standalone_mode=False)\n"
        "loaded = [m for m in ('faust', 'mode', 'aiokafka') if m in sys.modules]\n"
        "print(loaded, file=sys.stderr)"
    )
    assert outcome(script) == "[]"


def test_what_a_command_has_loaded_is_out_of_the_garbage_collectors_sight_for_good() -> None:
    script = (
        "import gc\n"
        "main(['runs', '--help'], standalone_mode=False)\n"
        "assert gc.isenabled(), 'what the command itself makes is looked after'\n"
        "assert gc.get_freeze_count() > 20 * len(gc.get_objects()), 'else it takes a third more'"
    )
    outcome(script)
