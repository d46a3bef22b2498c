"""``python -m cronstream.executor``: started by a worker, ended by its end of the socket pair."""

import argparse
import gc
import os
import resource
import signal
import socket

from cronstream import json_lines
from cronstream.core.wire.variables import for_commands
from cronstream.executor import tree
from cronstream.executor.link import Link
from cronstream.executor.loop import Executor
from cronstream.executor.mounts import Mounts
from cronstream.executor.output import Keeping
from cronstream.executor.slots import CountedSlots, Slots
from cronstream.executor.spawn import EXECUTOR_MARK, Spawner

#: Descriptors that are left for other things than the pipes of commands.
_SPARE_DESCRIPTORS = 36


def main() -> None:
    """Take the worker's options and start commands until the worker is gone."""
    parser = argparse.ArgumentParser(prog="cronstream.executor", description=__doc__)
    parser.add_argument("--socket", type=int, required=True, help="inherited descriptor")
    parser.add_argument("--id", required=True, help="marks whatever it starts")
    parser.add_argument("--slots", required=True, help="inherited descriptors of their pipe")
    parser.add_argument("--taken", required=True, help="those of the pipe of what it has taken")
    parser.add_argument("--output-bytes", type=int, required=True)
    parser.add_argument("--shows-all", action="store_true", help="hand on all output")
    parser.add_argument("--pass-env", required=True, help="names of variables for commands")
    parser.add_argument(json_lines.OPTION, action="store_true", help="what it says is JSON")
    options = parser.parse_args()
    if options.json_lines:
        json_lines.keep_stderr()

    # Ctrl-C and a service manager's TERM reach the whole group; what follows is the worker's word.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    slots, taken = (Slots(*map(int, pipe.split(","))) for pipe in (options.slots, options.taken))
    for descriptor in (options.socket, *slots.descriptors, *taken.descriptors):
        os.set_inheritable(descriptor, False)
    tree.become_unreadable()
    tree.become_subreaper()
    # The executor is what hands its environment on, so here it may be read (see settings.py).
    passed = for_commands(os.environ, options.pass_env.split(","))
    environment = passed | {EXECUTOR_MARK: options.id}
    executor = Executor(
        Link(socket.socket(fileno=options.socket)),
        Spawner(environment, Mounts().may_hang, os.environ),
        CountedSlots(slots, taken),
        most=_most_pipes(),
        keeping=Keeping(options.output_bytes, options.shows_all),
    )
    # Nothing here makes cycles by the thousand, and a look for them costs as much as many starts.
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    executor.run()


def _most_pipes() -> int:
    """Return how many commands can have a pipe each without a shortage of descriptors."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 30 if soft == resource.RLIM_INFINITY else max(soft - _SPARE_DESCRIPTORS, 1)


if __name__ == "__main__":
    main()
