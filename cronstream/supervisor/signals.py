"""What signals ask of a process that has children to end."""

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stop_signals(stop: Callable[[], None], kill: Callable[[], None]) -> Iterator[None]:
    """Call `stop` at the first SIGINT, SIGTERM or SIGHUP, and `kill` at a SIGINT after it.

    A terminal that closes sends more than one SIGHUP, and service managers repeat SIGTERM: only a
    person who presses Ctrl-C again means that it is to end at once.
    """
    loop = asyncio.get_running_loop()
    is_stopping = False

    def on_signal(number: signal.Signals) -> None:
        nonlocal is_stopping
        if not is_stopping:
            is_stopping = True
            stop()
        elif number is signal.SIGINT:
            kill()

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    for number in numbers:
        loop.add_signal_handler(number, on_signal, number)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
