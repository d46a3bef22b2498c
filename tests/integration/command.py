"""A command line in a process of its own, as a person would type it."""

import asyncio
import os
import sys
from collections.abc import Mapping

MAIN = "from cronstream.cli.main import main; main(prog_name='cronstream')"
_LIMIT_S = 90.0


async def run_command(
    broker: str, *arguments: str, variables: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Run ``cronstream`` against a broker; return its status, stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        MAIN,
        "--broker",
        broker,
        *arguments,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **(variables or {})},
    )
    try:
        async with asyncio.timeout(_LIMIT_S):
            out, err = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, out.decode(), err.decode()
