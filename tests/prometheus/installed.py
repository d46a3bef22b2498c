"""Programs of Prometheus's for tests: a machine without them leaves out what needs them."""

import os

import pytest

from chaos.programs import ProgramMissingError, program


def installed(name: str) -> str:
    """Return the path of a program; without it the test is skipped, but in CI it fails.

    ``make test`` needs Python, git and make: these programs are Debian's.
    """
    try:
        return program(name)
    except ProgramMissingError as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))
