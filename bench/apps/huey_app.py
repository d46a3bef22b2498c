"""Huey on Redis: one task that runs its command with a shell."""

import os
import subprocess

from huey import RedisHuey

huey = RedisHuey("bench", url=os.environ["BENCH_REDIS"], results=False, utc=True)


@huey.task()
def run(command: str) -> None:
    subprocess.run(command, shell=True, check=False)
