"""Celery: one task that runs its command with a shell; a broker that keeps what it has."""

import os
import subprocess

from celery import Celery

app = Celery("celery_app", broker=os.environ["BENCH_REDIS"])
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=4)


@app.task(name="run")
def run(command: str) -> None:
    subprocess.run(command, shell=True, check=False)
