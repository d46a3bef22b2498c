"""How fast a ledger is audited, and in how much memory: a synthetic one, on a real Kafka.

    python bench/audit.py [RUNS] [JOBS]

Writes a ledger of RUNS (300,000) runs of JOBS (1,000) jobs, each due once a minute, with the real
codec and publisher: one run in 50 fails once, one in 200 is discarded after its retry. Then audits
it with the command, in a process of its own, and prints runs/s and the most memory it took. In the
end one run is doubled, which the audit has to find.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from bench.rig import NAMES
from cronstream import clock
from cronstream.broker.embedded import EmbeddedBroker
from cronstream.broker.guard import Guard
from cronstream.broker.ports import free_port
from cronstream.core.planning.making import run_of
from cronstream.core.wire.entries import Claimed, Finished, Forwarded, Settled, Started, Withdrawal
from cronstream.core.wire.enumerations import Outcome, Verdict
from cronstream.core.wire.runs import Attempt, Discarded, Job, Run
from cronstream.settings import Settings
from cronstream.topology.publish import Publisher, partition_of
from cronstream.topology.topics import cluster_topics, ensure_topics, installation_topics

CLUSTER = "bench"
LOG, RETRY, DISCARDED = (named(CLUSTER) for named in (NAMES.log, NAMES.retry_log, NAMES.discarded))
#: The command, and then what it has used: seconds of CPU, and kilobytes of memory at most.
_PROGRAM = """
import sys, time
from cronstream.cli.main import main
try:
    main(prog_name="cronstream")
finally:
    [peak] = [line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM")]
    print(time.process_time(), peak, file=sys.stderr)
"""


@dataclass
class Author:
    """Writes what a scheduler and workers would."""

    publisher: Publisher
    partitions: int
    revisions: dict[str, int]

    def put(self, topic: str, job: str, record: Any) -> asyncio.Future[Any]:
        return self.publisher.append(topic, partition_of(job, self.partitions), record)

    async def minute(self, jobs: list[Job], due: datetime, number: int) -> None:
        """Write the runs of one minute, from their publication to their verdicts."""
        runs = [run_of(job, self.revisions[job.name], due) for job in jobs]
        acks = await asyncio.gather(*(self.put(LOG, run.job, run) for run in runs))
        fails = [(number + i) % 50 == 0 for i in range(len(runs))]
        ends = await asyncio.gather(
            *(
                self.attempt(LOG, run, ack.offset, failed)
                for run, ack, failed in zip(runs, acks, fails, strict=True)
            )
        )
        failed_runs = [
            (r, e, i) for i, (r, e) in enumerate(zip(runs, ends, strict=True)) if fails[i]
        ]
        await asyncio.gather(
            *(self.retry(r, e.offset, (number + i) % 200 == 0) for r, e, i in failed_runs)
        )

    def attempt(self, topic: str, run: Run, version: int, failed: bool) -> asyncio.Future[Any]:
        at = run.not_before + timedelta(milliseconds=3)
        named = {"run": run.id, "worker": "node.1a2b3c4d"}
        self.put(topic, run.job, Claimed(version=version, number=1, **named))
        self.put(topic, run.job, Started(claim=version, started_at=at, pid=4711, **named))
        outcome = Outcome.FAILED if failed else Outcome.SUCCEEDED
        finished = Finished(
            claim=version,
            outcome=outcome,
            started_at=at,
            ended_at=at + timedelta(seconds=1),
            exit_status=int(failed),
            head="all is well\n" * 5,
            **named,
        )
        return self.put(topic, run.job, finished)

    async def retry(self, run: Run, decided: int, discarded: bool) -> None:
        made = [Attempt(attempt=1, outcome=Outcome.FAILED, ended_at=run.scheduled_at)]
        second = run.derive(attempt=2, attempts_left=1, attempts=made, as_of=clock.now())
        ack = await self.put(RETRY, run.job, second)
        await self.put(LOG, run.job, Forwarded(run=run.id, version=decided))
        end = await self.attempt(RETRY, second, ack.offset, discarded)
        verdict = Verdict.DISCARDED if discarded else Verdict.SUCCEEDED
        if discarded:
            gone = Discarded(run=second, reason="2 of 2 failures", discarded_at=clock.now())
            await self.put(DISCARDED, run.job, gone)
        await self.put(LOG, run.job, Settled(run=run.id, verdict=verdict, attempt=2))
        await self.put(RETRY, run.job, Forwarded(run=run.id, version=end.offset))


async def write(settings: Settings, runs: int, count: int) -> tuple[datetime, datetime]:
    """Write the ledger; return when its first and its last runs were due."""
    minutes = runs // count
    end = clock.now().replace(second=0, microsecond=0)
    begin = end - timedelta(minutes=minutes - 1)
    topics = [*installation_topics(settings), *cluster_topics(CLUSTER, settings)]
    await ensure_topics(topics, settings)
    publisher = Publisher(settings)
    await publisher.start()
    jobs = [
        Job(
            name=f"job-{i}",
            cluster=CLUSTER,
            schedule="* * * * *",
            timezone="Europe/Berlin",
            command="pg_dump mydb > /backup/mydb.sql",
            max_attempts=2,
            effective_from=begin - timedelta(seconds=1),
        )
        for i in range(count)
    ]
    # What a job says first holds for no longer than an hour back from when it is taken up.
    former = [job.derive(removed=True) for job in jobs]
    await asyncio.gather(*(publisher.append(NAMES.jobs, 0, job) for job in former))
    acks = await asyncio.gather(*(publisher.append(NAMES.jobs, 0, job) for job in jobs))
    revisions = {job.name: ack.offset for job, ack in zip(jobs, acks, strict=True)}
    author = Author(publisher, settings.partitions, revisions)
    for job in jobs:
        since = job.effective_from or begin
        entry = Withdrawal(job=job.name, revision=revisions[job.name], effective_from=since)
        author.put(LOG, job.name, entry)
    for number in range(minutes):
        await author.minute(jobs, begin + timedelta(minutes=number), number)
    await publisher.stop()
    return begin, end


async def double(settings: Settings, job: str, due: datetime) -> None:
    """Have a worker start what it has no claim on."""
    publisher = Publisher(settings)
    await publisher.start()
    run = f"{job}@{due.isoformat().replace('+00:00', 'Z')}"
    entry = Started(run=run, claim=0, worker="thief", started_at=due, pid=1)
    await publisher.append(LOG, partition_of(job, settings.partitions), entry)
    await publisher.stop()


async def audit(settings: Settings, since: datetime, until: datetime) -> list[dict[str, Any]]:
    """Run the command, and say what it took; return what it has printed."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        _PROGRAM,
        "--broker",
        settings.broker,
        "audit",
        "--json",
        "--since",
        since.isoformat(),
        "--until",
        until.isoformat(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    took = time.perf_counter() - began
    lines = [json.loads(line) for line in out.splitlines()]
    cpu_s, peak_kb = map(float, err.split()[-2:])
    due = lines[-1]["due"]
    print(
        f"audited {due:,} runs in {took:.1f} s ({cpu_s:.1f} s of CPU), "
        f"{due / took:,.0f} runs/s, peak {peak_kb / 1024:.0f} MB"
    )
    return lines


async def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 300_000
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
    jars = os.environ.get("CRONSTREAM_JAR_CACHE")
    with tempfile.TemporaryDirectory() as folder, closing(Guard()) as guard:
        broker = EmbeddedBroker(
            Path(folder),
            free_port(),
            guard=guard,
            say=print,
            jar_cache=Path(jars) if jars else None,
        )
        await broker.start()
        try:
            settings = Settings(broker=broker.url)
            began = time.perf_counter()
            begin, end = await write(settings, runs, count)
            print(f"{runs:,} runs written in {time.perf_counter() - began:.0f} s", flush=True)
            lines = await audit(settings, begin, end)
            print(json.dumps(lines[-1], indent=1))
            await double(settings, "job-7", begin + timedelta(minutes=3))
            lines = await audit(settings, begin, end)
            found = [line for line in lines if line["kind"] == "doubled"]
            print(f"with one start forged: {found}")
        finally:
            await broker.stop()


if __name__ == "__main__":
    asyncio.run(main())
