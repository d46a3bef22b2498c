"""All parts of an installation as child processes of one: what ``cronstream up`` does."""

from cronstream.supervisor.command import (
    Command,
    Installation,
    console_command,
    worker_command,
)
from cronstream.supervisor.keeper import unless
from cronstream.supervisor.plan import parts
from cronstream.supervisor.screen import Screen, stamped
from cronstream.supervisor.signals import stop_signals
from cronstream.supervisor.supervisor import Supervisor

__all__ = [
    "Command",
    "Installation",
    "Screen",
    "Supervisor",
    "console_command",
    "parts",
    "stamped",
    "stop_signals",
    "unless",
    "worker_command",
]
