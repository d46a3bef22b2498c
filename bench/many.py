"""Very many jobs: what 100,000 cost `check`, a scheduler's start, an edit, memory, and idleness.

``python -m bench.many [JOBS]``: beside supercronic and APScheduler, where they are installed
(`bench.peers`). It takes about four minutes.
"""

import asyncio
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import orjson
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from ruamel.yaml import YAML

from bench import peers
from bench.machine import cost, tree
from bench.rig import Part, Rig, create_topics, rig, say
from cronstream.core.crontab.parser import parse_crontab

JOBS = 100_000
_HEAD = (
    "version: 1\nclusters: [a, b, c, d]\ndefaults:\n  missed_grace: 10m\n  timezone: UTC\njobs:\n"
)
_PATIENCE_S = 400.0
_IDLE_S = 20.0
_TOPIC = "records"
#: So many jobs are learnt in parts, and it is said when all have been.
_IN_PARTS = 10_000
_TASKS = ("sync", "report", "clean", "load", "export", "check", "rotate", "backup")


def crontab(number: int, *, seed: int = 1, not_for_h: int | None = None) -> str:
    """Return a crontab of that many jobs, as teams write them: each time the same.

    Many are due once a day at some minute, many each hour or every few minutes; some have a time
    zone, limits, variables. None runs anything worth the name.

    Args:
        number: How many.
        seed: Another one gives other jobs.
        not_for_h: The hour of now (UTC), if none is to be due within the next.
    """
    chance = random.Random(seed)
    jobs = "\n".join(_job(n, chance, not_for_h) for n in range(number))
    return f"{_HEAD}{jobs}\n"


def _job(number: int, chance: random.Random, hour: int | None) -> str:
    team = f"team-{number % 40:02d}"
    schedule = _schedule(chance) if hour is None else _later(chance, hour)
    lines = [
        f"  - name: {team}.{chance.choice(_TASKS)}-{number}",
        f"    schedule: '{schedule}'",
        f"    cluster: {'abcd'[number % 4]}",
        f"    command: /opt/{team}/bin/run {number} --{chance.choice(('full', 'delta'))}",
    ]
    zone = chance.choice(("Europe/Berlin", "America/New_York", "Asia/Tokyo"))
    some = {
        f"max_attempts: {chance.randrange(2, 6)}": 0.3,
        f"timeout: {chance.choice(('5m', '30m', '1h'))}": 0.3,
        f"timezone: {zone if hour is None else 'UTC'}": 0.2,
        f"overlap: {chance.choice(('skip', 'queue'))}": 0.15,
        f"env: {{TASK: n{number}, REGION: {chance.choice(('eu', 'us'))}}}": 0.05,
        f"env:\n      TASK: n{number}": 0.05,
        f"description: What task {number} does": 0.1,
    }
    keys: set[str] = set()
    for line, share in some.items():
        key = line.partition(":")[0]
        if chance.random() < share and key not in keys:
            keys.add(key)
            lines.append(f"    {line}")
    return "\n".join(lines)


def _schedule(chance: random.Random) -> str:
    minute, hour, day = chance.randrange(60), chance.randrange(24), chance.randrange(1, 29)
    forms = {
        f"*/{chance.choice((10, 15, 20, 30))} * * * *": 25,
        f"{minute} * * * *": 20,
        f"{minute} {hour} * * *": 30,
        f"{minute} {hour} * * mon-fri": 10,
        f"{minute} {hour} {day} * *": 8,
        "H H * * *": 5,
        f"@every {chance.choice((600, 900, 1800))}s": 2,
    }
    return chance.choices(list(forms), list(forms.values()))[0]


def _later(chance: random.Random, hour: int) -> str:
    days = chance.choice(("* * *", "* * mon-fri", f"{chance.randrange(1, 29)} * *"))
    return f"{chance.randrange(60)} {(hour + chance.randrange(2, 22)) % 24} {days}"


def checks(folder: Path, number: int) -> dict[str, Any]:
    """Processor seconds of `check`, beside those of only reading the file's YAML by libyaml."""
    file = folder / "crontab.yaml"
    text = crontab(number)
    file.write_text(text)
    began = time.process_time()
    for _ in YAML(typ="safe", pure=False).parse(text):
        pass
    floor = time.process_time() - began
    code = "from cronstream.cli.main import main; main()"
    used = _used([sys.executable, "-c", code, "check", str(file)])
    row = {"jobs": number, "check_s": used, "libyaml_s": round(floor, 2)}
    row["ratio"] = round(used / floor, 2)
    say(f"check: {row}")
    return row


def _used(words: list[str]) -> float:
    """Return the processor seconds that a program takes."""
    before = os.times()
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    used = after.children_user + after.children_system
    return round(used - before.children_user - before.children_system, 2)


async def records(broker: str, text: str) -> dict[str, float]:
    """What the jobs cost as records of JSON that are written to a log and read back, in batches.

    Of their reading from the crontab nothing is in it, nor of anything that is done with them.
    """
    jobs = [job.asdict() for job in parse_crontab(text).jobs]
    said = [{name: value for name, value in job.items() if value is not None} for job in jobs]
    await create_topics(broker, _TOPIC)
    began, cpu = time.monotonic(), time.process_time()
    async with AIOKafkaProducer(bootstrap_servers=broker, max_batch_size=1 << 18) as producer:
        batch, sent = producer.create_batch(), []
        for one in said:
            value = orjson.dumps(one, default=vars)
            if batch.append(key=one["name"].encode(), value=value, timestamp=None) is None:
                sent.append(await producer.send_batch(batch, _TOPIC, partition=0))
                batch = producer.create_batch()
                batch.append(key=one["name"].encode(), value=value, timestamp=None)
        sent.append(await producer.send_batch(batch, _TOPIC, partition=0))
        await asyncio.gather(*sent)
    async with AIOKafkaConsumer(bootstrap_servers=broker) as consumer:
        consumer.assign([TopicPartition(_TOPIC, 0)])
        await consumer.seek_to_beginning()
        left = len(said)
        while left:
            for messages in (await consumer.getmany(timeout_ms=500)).values():
                left -= len([orjson.loads(message.value) for message in messages])
    took = time.monotonic() - began
    return {"cpu_s": round(time.process_time() - cpu, 2), "took_s": round(took, 2)}


async def _applied(part: Part, number: int) -> None:
    await part.said("crontab-applied", jobs=number, within_s=_PATIENCE_S)


def _write(one: Rig, text: str) -> None:
    fresh = one.crontab.with_suffix(".new")
    fresh.write_text(text)
    fresh.replace(one.crontab)


async def scheduler(folder: Path, number: int) -> dict[str, Any]:
    """What they cost a scheduler: to begin, to take an edit, to be there."""
    text = crontab(number, not_for_h=time.gmtime().tm_hour)
    row: dict[str, Any] = {"jobs": number}
    async with rig(folder, CRONSTREAM_ADOPT="1") as one:
        row["records"] = await records(one.broker.address, text)
        _write(one, _HEAD.replace("jobs:", "jobs: []"))
        part = await one.start("scheduler")
        row["without"] = await _idle(part)
        began, before = time.monotonic(), cost([part.pid])
        _write(one, text)
        await _applied(part, number)
        row["first_in_force_s"] = round(time.monotonic() - began, 1)
        row["first_cpu_s"] = round(cost([part.pid]).since(before).own, 1)
        if number >= _IN_PARTS:
            await part.said("edits-in-force", within_s=_PATIENCE_S)
            row["first_learnt_s"] = round(time.monotonic() - began, 1)
        await asyncio.sleep(20 + number / 2000)
        row["after_first"] = await _idle(part)
        await one.stop(part)
        began = time.monotonic()
        part = await one.start("scheduler", waits=False)
        await _applied(part, number)
        row["begun_again_s"] = round(time.monotonic() - began, 1)
        row["begun_again_cpu_s"] = round(cost([part.pid]).own, 1)
        await asyncio.sleep(20)
        row["begun_again"] = await _idle(part)
        row["edit"] = [await _edit(one, part, text, number, n) for n in (1, 2, 3)]
    say(f"scheduler: {row}")
    return row


async def _idle(part: Part) -> dict[str, float]:
    """Percent of one core, and memory, while nothing is due."""
    before = cost([part.pid])
    await asyncio.sleep(_IDLE_S)
    used = cost([part.pid]).since(before)
    return {"cpu_pct": round(used.own / _IDLE_S * 100, 2), "rss_mib": round(used.rss, 1)}


async def _edit(one: Rig, part: Part, text: str, number: int, turn: int) -> dict[str, float]:
    """Edit one job in the middle; seconds until it is in force."""
    name = f"-{number // 2}\n"
    edited = text.replace(name, f"{name}    grace: {turn}s\n", 1)
    part.recent.clear()
    before, began = cost([part.pid]), time.monotonic()
    await asyncio.to_thread(_write, one, edited)
    await part.said("crontab-applied", changed=1, within_s=_PATIENCE_S)
    took = round(time.monotonic() - began, 2)
    await asyncio.sleep(5)
    return {"in_force_s": took, "cpu_s": round(cost([part.pid]).since(before).own, 2)}


def of_peer(peer: str, folder: Path, number: int) -> dict[str, Any]:
    """Seconds of processor until a peer has as many jobs, its memory, and what idle it costs."""
    jobs = [(f"i{i}", 60 * (i % 1440 + 2), "exit 0") for i in range(number)]
    folder.mkdir(exist_ok=True)
    if peer == "supercronic":
        table = folder / "crontab"
        lines = (f"{i % 60} {i // 60 % 24} {1 + i % 28} 1 * exit 0\n" for i in range(number))
        table.write_text("".join(lines))
        words: list[object] = [peers.HOME / "gobin" / "supercronic", "-quiet", "-no-reap", table]
    else:
        table = folder / "jobs.json"
        table.write_text(json.dumps(jobs))
        words = [peers.HOME / "venv" / "bin" / "python", peers.APPS / "apscheduler_app.py", table]
    with peers.started(words, folder / "log") as process:
        last, still = -1.0, 0
        while still < 3:
            time.sleep(1)
            used = cost(tree(process.pid)).own
            still, last = (still + 1 if used - last < 0.05 else 0), used
            if used > 300:
                break
        begun = cost(tree(process.pid))
        time.sleep(_IDLE_S)
        idle = cost(tree(process.pid)).since(begun)
    row = {"peer": peer, "jobs": number, "load_cpu_s": round(begun.own, 1)}
    row |= {"rss_mib": round(idle.rss, 1), "cpu_pct": round(idle.own / _IDLE_S * 100, 2)}
    say(f"{row}")
    return row


def measure(folder: Path, number: int = JOBS) -> dict[str, Any]:
    """Measure all of it."""
    folder.mkdir(exist_ok=True)
    rows: dict[str, Any] = {"check": checks(folder, number)}
    rows["scheduler"] = asyncio.run(scheduler(folder / "rig", number))
    installed = peers.there()
    rows["peers"] = [
        of_peer(peer, folder / peer, number)
        for peer in ("supercronic", "apscheduler")
        if peer in installed
    ]
    return rows


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="cronstream-bench-") as name:
        rows = measure(Path(name), int(sys.argv[1]) if len(sys.argv) > 1 else JOBS)
    sys.stdout.write(json.dumps(rows, indent=1) + "\n")
