"""Celery: one task that runs its command with a shell; a broker that keeps what it has."""

import os
import subprocess

from celery import Celery

app = Celery("celery_app", broker=os.environ["BENCH_REDIS"])
#: With 1, a worker fetches no more than it runs, and none waits beside a free one.
ahead = int(os.environ.get("BENCH_AHEAD", "4"))
app.conf.update(
    task_ignore_result=True, worker_prefetch_multiplier=ahead, task_acks_late=ahead == 1
)


@app.task(name="run")
def run(command: str) -> None:
    subprocess.run(command, shell=True, check=False)
