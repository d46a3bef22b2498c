"""A secret is in its command's environment, and nowhere else: not on Kafka, in a log or a table.

So is the address of whoever hears of its runs, who does, and of a job that is overdue.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import aiohttp
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaTimeoutError

from cronstream.polling import until
from tests.integration.command import run_command
from tests.integration.conftest import StartedWorker, StartWorker
from tests.integration.truth import Truth, a_name
from tests.notices.server import Server, serving

pytestmark = pytest.mark.integration

OF_A_FILE, OF_THE_WORKER, UNLISTED = (f"canary-{what}-4d1f" for what in ("file", "from", "none"))
#: No part of one that is as long as this may be seen.
PARTS = ("canary-f", "canary-n", "y-file-", "le-4d1f", "om-4d1f", "ne-4d1f")
#: What others hear of a run that is discarded at its second attempt: the method, the end of the
#: path, and what is said of it. A start gives way to the end of its attempt, if it is slow.
ENDS = {
    ("GET", "", "error"),
    ("POST", "", "discarded"),
    ("POST", "/3", "attempt 2 failed (exit status 3)"),
    ("POST", "/log", "attempt 1 failed (exit status 3)"),
}
STARTS = {("GET", "", "in_progress"), ("POST", "/start", "")}
#: Writes them whole, in two pieces, and on both edges of what is kept of an output.
SHOWS = (
    'printf %s "${A%-4d1f}"; sleep 0.2; echo -4d1f; env; '
    'head -c 3300 /dev/zero | tr "\\0" x; for i in 1 2 3 4 5 6 7 8 9; do echo "$A$B"; done; '
    'head -c 9000 /dev/zero | tr "\\0" x; for i in 1 2 3 4 5 6 7 8 9; do echo "$A$B"; done; '
    'head -c 4000 /dev/zero | tr "\\0" y; printf %s "$A"'
)


@pytest.fixture
async def others() -> AsyncIterator[Server]:
    """A monitor and a chat, at addresses that are secrets."""
    async with serving() as server:
        yield server


async def test_a_secret_is_in_no_topic_no_log_no_table_and_no_answer(
    start_worker: StartWorker, broker: str, tmp_path: Path, others: Server
) -> None:
    cluster, truth = a_name("secret"), Truth(tmp_path)
    token, seen = tmp_path / "token", tmp_path / "seen"
    (tmp_path / "token").write_text(f"{OF_A_FILE}\n")
    (tmp_path / "address").write_text(f"{others.url}/{OF_A_FILE}/{{job}}\n")
    address = f"{{file: {tmp_path}/address}}"
    crontab = f"""
version: 1
clusters: {{{cluster}: }}
defaults: {{cluster: {cluster}, max_attempts: 2, backoff: {{first: 1s}}}}
jobs:
  - name: {cluster}-shows
    schedule: "@every 3s"
    expect_within: 4s
    ping: {{healthchecks: {address}, sentry: {address}}}
    on_discard: {address}
    env: {{A: {{file: {token}}}, B: {{from: OF_THE_WORKER}}}}
    command: |
      {truth.command}; echo "$A $B ${{UNLISTED:-unset}}" >> {seen}
      {SHOWS}; exit 3
  - name: {cluster}-lacks
    schedule: "@every 3s"
    env: {{A: {{file: {token}s}}}}
    command: {truth.command}
"""
    variables = {"OF_THE_WORKER": OF_THE_WORKER, "UNLISTED": UNLISTED}
    worker, retry, scheduler = await asyncio.gather(
        start_worker("--cluster", cluster, crontab=crontab, variables=variables),
        start_worker("--cluster", cluster, "--retry", variables=variables),
        start_worker(variables=variables),
    )
    lacks = f"(exit status 126; variable A: {token}s cannot be read (no such file or directory); "
    await worker.said(f"attempt 1 failed {lacks}")
    await retry.said(f"discarded (attempt 2 failed {lacks}")
    first = (await truth.wait(6, f"{cluster}-shows"))[0].run
    await retry.said(f"run {first}: discarded (attempt 2 failed (exit status 3)")
    assert await _heard(others, first, f"{cluster}-shows") - ENDS <= STARTS
    await worker.said(f"job {cluster}-shows is overdue: a success was expected within 4s")
    await _announced(broker, f"{cluster}-shows")
    # Who begins anew reads what is kept, and shows it.
    answers = await asyncio.gather(
        run_command(broker, "runs", "--job", f"{cluster}-shows", "--json"),
        run_command(broker, "discarded", "--cluster", cluster, "--json"),
        run_command(broker, "show", first),
        run_command(broker, "jobs", "--overdue"),
    )
    assert [status for status, _, _ in answers] == [0, 0, 0, 0], answers
    assert f"{cluster}-shows" in answers[-1][1]
    tables = [
        await _get(process, path)
        for process, path in (
            (worker, f"runs/{first}"),
            (scheduler, f"jobs/{cluster}-shows"),
        )
    ]

    told = [line for process in (worker, retry, scheduler) for line in process.lines]
    told += [*tables, *(f"{out}\n{err}" for _, out, err in answers)]
    on_kafka = await _all_values(broker)
    assert any(f"{cluster}-shows@" in value and "***" in value for value in on_kafka)
    for text in (*told, *on_kafka):
        assert not [part for part in PARTS if part in text], text
    assert set(seen.read_text().splitlines()) == {f"{OF_A_FILE} {OF_THE_WORKER} unset"}
    assert not truth.lines(f"{cluster}-lacks")


async def _announced(broker: str, job: str) -> None:
    """Wait until what a worker has seen has come to all: it is announced every few seconds."""
    async with asyncio.timeout(30):
        while True:
            _, out, _ = await run_command(broker, "jobs", "--overdue")
            if job in out:
                return
            await asyncio.sleep(0.5)


async def _heard(others: Server, run: str, job: str) -> set[tuple[str, str, str]]:
    """Return what was heard of a run, once its ends were."""
    address = f"{others.url}/{OF_A_FILE}/{job}"
    ident = uuid5(uuid5(NAMESPACE_URL, address), run)

    def heard() -> set[tuple[str, str, str]]:
        found = set()
        for one in others.asked:
            if str(ident) in (one.query.get("rid"), one.query.get("check_in_id")):
                said = one.query.get("status") or one.body.partition("\n")[0]
                found.add((one.method, one.path.removeprefix(f"/{OF_A_FILE}/{job}"), said))
            elif one.headers.get("Content-Type") == "application/json":
                told = json.loads(one.body)
                if told["run"] == run:
                    found.add((one.method, "", told["verdict"]))
        return found

    async with asyncio.timeout(30):
        await until(lambda: heard() >= ENDS, 0.1)
    return heard()


async def _get(process: StartedWorker, path: str) -> str:
    """Return a row of a table once it is there."""
    said = await process.said("its pages are at http:")
    url = f"http:{said.partition('http:')[2]}{path}/"
    async with asyncio.timeout(30), aiohttp.ClientSession() as session:
        while True:
            async with session.get(url) as answer:
                if answer.status != 404:
                    assert answer.status == 200, url
                    return await answer.text()
            await asyncio.sleep(0.2)


async def _all_values(broker: str) -> list[str]:
    """Return keys and values of all messages of all topics, but those that are being deleted."""
    async with AIOKafkaConsumer(bootstrap_servers=broker, request_timeout_ms=10_000) as consumer:
        ends = await _ends(broker, consumer)
        await consumer.seek_to_beginning()
        values: list[str] = []
        left = {place for place in ends if ends[place]}
        async with asyncio.timeout(60):
            while left:
                for place, messages in (await consumer.getmany(timeout_ms=500)).items():
                    values += [repr((each.key, each.value, each.headers)) for each in messages]
                    if await consumer.position(place) >= ends[place]:
                        left.discard(place)
                left = {p for p in left if await consumer.position(p) < ends[p]}
    return values


async def _ends(broker: str, consumer: AIOKafkaConsumer) -> dict[TopicPartition, int]:
    """Return where each partition ends; where one goes meanwhile, all are asked once more."""
    admin = AIOKafkaAdminClient(bootstrap_servers=broker)
    await admin.start()
    try:
        for again in (True, True, False):
            places = [
                TopicPartition(topic["topic"], partition["partition"])
                for topic in await admin.describe_topics()
                for partition in topic["partitions"]
                if partition["leader"] >= 0
            ]
            consumer.assign(places)  # else the places of each topic would be asked for one by one
            try:
                found: dict[TopicPartition, int] = await consumer.end_offsets(places)
            except KafkaTimeoutError:
                if not again:
                    raise
            else:
                return found
        raise AssertionError
    finally:
        await admin.close()
