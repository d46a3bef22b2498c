"""A Kafka that denies by default: each role works with what `cronstream acls` prints, no more."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka.errors import TopicAuthorizationFailedError

from cronstream.broker.guard import Guard
from cronstream.core.wire.naming import SCHEDULER, Role
from cronstream.core.wire.rights import Actor, Kind, Operation, Right
from cronstream.topology.client import new_producer
from cronstream.topology.rights import lacking, words
from tests.builders import NAMES
from tests.integration.conftest import StartedWorker, StartWorker
from tests.integration.consoles import TOKEN, Console, Page
from tests.integration.strict import Strict, a_strict_broker
from tests.integration.truth import Truth
from tests.integration.watched import start_watched

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

#: Each user, and what it is made for.
_USERS = {
    "admin": ("--role", "admin", "--cluster", "a", "--cluster", "b"),
    "scheduler": ("--role", "scheduler", "--cluster", "a", "--cluster", "b"),
    "worker-a": ("--role", "worker", "--cluster", "a"),
    "retry-a": ("--role", "retry-worker", "--cluster", "a"),
    "worker-b": ("--role", "worker", "--cluster", "b"),
    "reader": ("--role", "reader", "--cluster", "a", "--cluster", "b"),
    "operator": ("--role", "operator", "--cluster", "a", "--cluster", "b"),
}
_LOOKS = (
    *(
        ("runs",),
        ("show", "plain@latest"),
        ("logs", "plain@latest"),
        ("discarded",),
        ("workers",),
        ("audit",),
        ("doctor",),
    ),
    ("keys", "list"),
)
_PROCESSES = {
    "scheduler": (),
    "worker-a": ("--cluster", "a"),
    "retry-a": ("--cluster", "a", "--retry"),
}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Strict]:
    with a_strict_broker(tmp_path_factory.mktemp("strict"), _USERS) as found:
        yield found


@pytest.fixture(scope="module")
def broker(strict: Strict) -> str:
    """The door of that Kafka at which processes are started, but for their settings."""
    return strict.plain


async def test_each_role_and_each_command_does_with_its_own_rules(
    strict: Strict, start_worker: StartWorker, tmp_path: Path
) -> None:
    rules = {user: await strict.printed(user, *line) for user, line in _USERS.items()}
    for user, granted in rules.items():
        await strict.grant(user, granted)
    truth = Truth(tmp_path)
    crontab = _crontab(truth)
    (tmp_path / "crontab.yaml").write_text(crontab)

    await _only_the_admin_makes_topics(strict)
    processes = await _start_all(strict, start_worker, crontab)
    await truth.wait(3, "doomed")
    await truth.wait(2, "plain")
    await _the_reader_looks_and_does_no_more(strict)
    await _the_operator_acts(strict)
    await _a_console_acts_with_an_operators_rules_alone(strict, tmp_path)
    await _no_worker_reaches_another_cluster(strict)
    await _a_cluster_that_may_not_be_written_to_is_held_up(strict, processes[0], tmp_path, rules)
    processes.append(await _a_process_that_is_refused_says_so(strict, start_worker, rules))
    await asyncio.gather(*(process.stop() for process in processes))
    await _what_is_taken_away_is_named(strict, rules)
    await _the_admin_moves_all_of_it(strict, tmp_path / "export")


def _crontab(truth: Truth) -> str:
    return f"""
version: 1
clusters: {{a: , b: }}
defaults: {{max_attempts: 3, backoff: {{first: 0.2s, factor: 1, jitter: 0}}}}
jobs:
  - {{name: doomed, cluster: a, schedule: "@every 5s", command: '{truth.command}; exit 3'}}
  - {{name: plain, cluster: a, schedule: "@every 2s", command: '{truth.command}'}}
  - {{name: long, cluster: a, schedule: "0 0 1 1 *", command: 'sleep 60'}}
  - {{name: by-hand, cluster: a, schedule: "0 0 1 1 *", command: 'true'}}
"""


async def _only_the_admin_makes_topics(strict: Strict) -> None:
    line = ("topics", "--create", "--cluster", "a", "--cluster", "b")
    status, _, err = await strict.command("scheduler", *line)
    assert status == 1
    assert "--operation Create --topic" in err
    status, _, err = await strict.command("admin", *line)
    assert status == 0, err
    assert "all 28 topics are there" in err


async def _start_all(strict: Strict, start: StartWorker, crontab: str) -> list[StartedWorker]:
    return await asyncio.gather(
        *(
            start(*options, crontab=crontab, variables=strict.variables(user))
            for user, options in _PROCESSES.items()
        )
    )


async def _the_reader_looks_and_does_no_more(strict: Strict) -> None:
    for line in _LOOKS:
        status, out, err = await strict.command("reader", *line)
        assert (line, status) == (line, 0), out + err
    status, out, err = await strict.command("reader", "doctor", "--cluster", "a")
    assert (status, out) == (0, ""), out + err
    status, out, _ = await strict.command("reader", "doctor", "--role", "operator")
    assert status == 1
    assert "right: this user may not Write topic cronstream.a: 'cronstream acls --role op" in out
    status, _, err = await strict.command("alice", "runs")
    assert status == 1
    assert "Kafka does not allow user 'alice' to Read and DescribeConfigs topic cron" in err
    status, _, err = await strict.command("reader", "logs", "plain@latest", "--follow")
    assert status == 0, err
    assert "Kafka does not allow user 'reader' to Write topic cronstream.a.output" in err
    status, _, err = await strict.command("reader", "run-now", "by-hand")
    assert status == 1
    assert "does not allow this user to write to any topic" in err
    assert "cronstream acls --role" in err


async def _the_operator_acts(strict: Strict) -> None:
    status, out, err = await strict.command("operator", "run-now", "by-hand", "--wait")
    assert status == 0, out + err
    _, out, _ = await strict.command("operator", "discarded", "--json")
    run = json.loads(out.splitlines()[0])["run"]
    lines = ("replay", run), ("run-now", "long"), ("cancel", "--job", "long"), ("repair",)
    for line in (*lines, ("logs", "plain@latest", "--follow")):
        status, out, err = await strict.command("operator", *line)
        assert (line, status) == (line, 0), out + err


async def _a_console_acts_with_an_operators_rules_alone(strict: Strict, folder: Path) -> None:
    token = folder / "token"
    token.write_text(TOKEN)
    with closing(Guard()) as guard:
        for user in ("reader", "operator"):
            variables = {**strict.variables(user), "CRONSTREAM_WEB_TOKEN_FILE": str(token)}
            console = Console(strict.plain, folder / user, variables)
            (folder / user).mkdir()
            process, page = await console.start(guard), Page(console)
            await page.shows("/jobs", "by-hand")
            if user == "operator":
                await page.done("/jobs/by-hand/run-now")
                assert (await page.done("/jobs/by-hand/pause"))["in_force"]
                assert (await page.done("/jobs/by-hand/resume"))["in_force"]
            else:
                status, said = await page.post("/jobs/by-hand/run-now")
                assert status == 403, said
                assert "does not allow this user to write to any topic" in said["error"]
            await process.stop()


async def _no_worker_reaches_another_cluster(strict: Strict) -> None:
    theirs = [
        *topics_of("a"),
        NAMES.output("a"),
        NAMES.ledgers(Role.of("a", retry=False)),
        NAMES.leader(Role.of("a", retry=False)),
        NAMES.kept_jobs,
        NAMES.leader(SCHEDULER),
    ]
    settings, both = strict.settings("worker-b"), (Operation.READ, Operation.WRITE)
    wanted = [Right(Kind.TOPIC, topic, both) for topic in theirs]
    assert await lacking(settings, wanted) == wanted
    producer = new_producer(settings)
    await producer.start()
    try:
        with pytest.raises((TopicAuthorizationFailedError, TimeoutError)):
            async with asyncio.timeout(5):
                await producer.send_and_wait(NAMES.log("a"), b"", partition=0)
    finally:
        await producer.stop()


def topics_of(cluster: str) -> list[str]:
    return [NAMES.log(cluster), NAMES.retry_log(cluster), NAMES.discarded(cluster)]


async def _what_is_taken_away_is_named(strict: Strict, rules: dict[str, list[Right]]) -> None:
    """Each rule of each role, one after another; what Kafka says is what was taken."""
    for user, granted in rules.items():
        settings = strict.settings(user)
        assert await lacking(settings, granted) == []
        for rule in granted:
            await strict.revoke(user, [rule])
            assert await lacking(settings, granted) == [rule], words(rule)
            await strict.grant(user, [rule])


async def _a_cluster_that_may_not_be_written_to_is_held_up(
    strict: Strict, scheduler: StartedWorker, folder: Path, rules: dict[str, list[Right]]
) -> None:
    """A new job of such a cluster waits, and is put in force once the right is granted."""
    [rule] = [right for right in rules["scheduler"] if right.name == NAMES.log("b")]
    writes = replace(rule, operations=(Operation.WRITE,))
    await strict.revoke("scheduler", [writes])
    since = len(scheduler.lines)
    file = folder / "crontab.yaml"
    new = "  - {name: new, cluster: b, schedule: '0 0 1 1 *', command: 'true'}\n"
    file.write_text(file.read_text() + new)

    line = await scheduler.said("held up", since=since)
    assert "Kafka does not allow user 'scheduler' to Write" in line
    assert "topic cronstream.b: grant it" in line
    await strict.grant("scheduler", [writes])
    await scheduler.said("job new added", since=since)
    assert not [line for line in scheduler.lines if "OutOfOrder" in line]


async def _a_process_that_is_refused_says_so(
    strict: Strict, start: StartWorker, rules: dict[str, list[Right]]
) -> StartedWorker:
    """One that runs says it on its page, and goes on once it may; one that begins ends with it."""
    running = await start_watched(start, "--cluster", "a", variables=strict.variables("worker-a"))
    [rule] = [right for right in rules["worker-a"] if right.name == NAMES.log("a")]
    writes = replace(rule, operations=(Operation.WRITE,))
    await strict.revoke("worker-a", [writes])

    refused = await start("--cluster", "a", variables=strict.variables("worker-a"), waits=False)
    line = await refused.said("Kafka does not allow")
    assert "user 'worker-a' to Write topic cronstream.a: grant it; 'cronstream acls --role" in line
    assert await refused.child.wait() == 1
    async with asyncio.timeout(90):
        while "to Write topic cronstream.a" not in (await running.ask())[1].get("reason", ""):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.5)
    assert any("cronstream.a cannot be written to" in line for line in running.worker.lines)
    await strict.grant("worker-a", [writes])
    await running.becomes(200, within_s=60)
    return running.worker


async def _the_admin_moves_all_of_it(strict: Strict, file: Path) -> None:
    """From these topics to those of another prefix, on the same Kafka."""
    status, _, err = await strict.command("reader", "move-out", str(file))
    assert status == 1
    assert "cronstream acls --role" in err
    status, out, err = await strict.command("admin", "move-out", str(file))
    assert status == 0, out + err
    other = {"CRONSTREAM_PREFIX": "other"}
    moved = [
        replace(right, name=right.name.replace("cronstream", "other", 1))
        for right in await strict.printed("admin", *_USERS["admin"])
    ]
    await strict.grant("admin", moved)
    status, out, err = await strict.command("admin", "move-in", str(file), **other)
    assert status == 0, out + err
    status, out, err = await strict.command("admin", "move-out", "--take-back")
    assert status == 0, out + err


def test_every_role_has_rules_of_its_own() -> None:
    assert {words[1] for words in _USERS.values()} == {actor.value for actor in Actor}
