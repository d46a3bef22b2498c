"""What all tests have in common."""

import logging
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

# How long an example takes says how busy the machine is, and nothing of what is tested.
settings.register_profile("calm", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("calm")


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Take back what a test has configured: the next would find lines in `caplog` not asked for."""
    root = logging.getLogger()
    before, handlers, looks_up = _levels(), root.handlers[:], logging._srcfile
    threads = (logging.logThreads, logging.logProcesses, logging.logMultiprocessing)
    yield
    logging._srcfile = looks_up
    logging.logThreads, logging.logProcesses, logging.logMultiprocessing = threads
    for name, _ in _levels().items() - before.items():
        logging.getLogger(name).setLevel(before.get(name, logging.NOTSET))
    for handler in root.handlers[:]:
        if isinstance(handler, logging.FileHandler) and handler not in handlers:
            root.removeHandler(handler)
            handler.close()


def _levels() -> dict[str, int]:
    """The level of each logger that there is, by name; that of the root by none."""
    loggers = {"": logging.getLogger(), **logging.root.manager.loggerDict}
    return {n: one.level for n, one in loggers.items() if isinstance(one, logging.Logger)}
