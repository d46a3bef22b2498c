"""``cronstream logs``: what a run has written, and with ``--follow`` what it writes."""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import click
from aiokafka.structs import TopicPartition

from cronstream import clock
from cronstream.cli import coroutine, following, proposals
from cronstream.cli.connection import connections, publishing, reading
from cronstream.cli.followed_run import FollowedRun
from cronstream.cli.output import emit_json, json_option, say
from cronstream.cli.run_commands import find_run, since_of
from cronstream.cli.times import Moment
from cronstream.core.wire.live_output import EVERY_S, FOLLOWS, Follow, Written, decode, encode
from cronstream.core.wire.rights import Actor, Kind, Operation, Right
from cronstream.errors import BrokerError
from cronstream.escaping import safe
from cronstream.history.fields import change_fields
from cronstream.history.scope import LogReader, Scope
from cronstream.history.story import AttemptStory, Change, RunState, RunStory
from cronstream.history.words import attempt_text, output_text, state_text
from cronstream.settings import settings
from cronstream.topology.publish import Ack
from cronstream.topology.rights import sentence

#: Before what is known of a run it is read from there on: clocks differ.
_MARGIN = timedelta(minutes=1)
_POLL_S = 0.2
_AGAIN_S = 2.0
_KEEP = "\n\t"
_KIND = dict([FOLLOWS])


class Paper:
    """Shows output on stdout, and says the rest on stderr; as JSON, all that is data on stdout."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json, self._is_at_start = as_json, True

    def say(self, text: str) -> None:
        """Say something about the run, on a line of its own."""
        self._end_line()
        say(text)

    def wrote(self, run: str, attempt: int, text: str, left_out: int) -> None:
        """Show what was just written."""
        if self._as_json:
            emit_json({"run": run, "attempt": attempt, "text": text, "left_out": left_out})
            return
        self._write(text)
        if left_out:
            self._end_line()
            self._write(f"… {left_out:,} bytes are left out here …\n")

    def kept(self, story: RunStory, attempt: AttemptStory) -> None:
        """Show what is kept of an attempt, and how it ended."""
        if self._as_json:
            emit_json(
                {
                    "run": story.id,
                    "attempt": attempt.number,
                    "outcome": attempt.outcome,
                    "output_head": attempt.head,
                    "output_tail": attempt.tail,
                    "output_omitted": attempt.omitted,
                }
            )
            return
        self._write(output_text(attempt))
        self.say(attempt_text(attempt))

    def changed(self, change: Change, text: str) -> None:
        """Say what has become of the run."""
        if self._as_json:
            emit_json(change_fields(change))
        else:
            self.say(text)

    def _write(self, text: str) -> None:
        if text:
            click.echo(safe(text, keep=_KEEP), nl=False)
            self._is_at_start = text.endswith("\n")

    def _end_line(self) -> None:
        if not self._is_at_start:
            click.echo()
        self._is_at_start = True


@click.command
@click.argument("run", shell_complete=proposals.runs)
@click.option("--follow", "follows", is_flag=True, help="Go on until the run has its verdict.")
@click.option(
    "--since",
    type=Moment(),
    metavar="WHEN",
    help="Read from then on.  [default: from the due time in the run's id, or 7d]",
)
@json_option
def logs(*, run: str, follows: bool, since: datetime | None, as_json: bool) -> None:
    """Show what a run has written: of each attempt that has ended what is kept.

    With --follow also what it writes, as it comes, until it has its verdict; of one that has not
    started, from its start on. The exit status is then 0 if it has succeeded, else 1. RUN is a
    run's id, the beginning of one if it is the only one, or JOB@latest.
    """
    scope = Scope(since=since or since_of(run), job=run.partition("@")[0] if "@" in run else None)
    paper = Paper(as_json=as_json)
    story = coroutine.run(find_run(run, scope))
    if not follows:
        _show(story, paper)
    elif coroutine.run(_follow(story, scope, paper)) is not RunState.SUCCEEDED:
        click.get_current_context().exit(1)


def _show(story: RunStory, paper: Paper) -> None:
    for attempt in story.attempts:
        if attempt.outcome is not None:
            paper.kept(story, attempt)
    if not story.state.settled:
        what = state_text(story, clock.now())
        say(f"run {story.id} is {what}; --follow shows what it writes until it has its verdict")


async def _follow(story: RunStory, scope: Scope, paper: Paper) -> RunState:
    since = story.published_at - _MARGIN if story.published_at else scope.since
    scope = replace(scope, since=since, clusters=frozenset({story.cluster}), job=story.job)
    followed = FollowedRun(story.id, paper)
    seen: asyncio.Queue[Change | Written] = asyncio.Queue()
    tasks = [
        asyncio.create_task(_changes(scope, seen)),
        asyncio.create_task(_output(story, seen, paper)),
    ]
    try:
        await _show_until_it_is_over(followed, seen, tasks[0])
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return followed.story.state if followed.story else RunState.UNKNOWN


async def _show_until_it_is_over(
    followed: FollowedRun, seen: "asyncio.Queue[Change | Written]", changes: "asyncio.Task[None]"
) -> None:
    while not followed.is_over:
        for one in await _next(seen):
            if isinstance(one, Change):
                followed.changed(one, clock.monotonic())
            else:
                followed.wrote(one, clock.monotonic())
        followed.look(clock.monotonic())
        if changes.done() and seen.empty():
            await changes  # It ends by an error alone, or by Ctrl-C.


async def _next(seen: "asyncio.Queue[Change | Written]") -> list[Change | Written]:
    """Return what comes within a moment; nothing if that is nothing."""
    try:
        async with asyncio.timeout(_POLL_S):
            return [await seen.get()]
    except TimeoutError:
        return []


async def _changes(scope: Scope, seen: "asyncio.Queue[Any]") -> None:
    async with aclosing(following.changes(scope)) as changes:
        async for change in changes:
            seen.put_nowait(change)


async def _output(story: RunStory, seen: "asyncio.Queue[Any]", paper: Paper) -> None:
    """Have the run's output shown, and hear it; without it there is what the ledgers have."""
    topic = settings().names.output(story.cluster)
    wanted = [Right(Kind.TOPIC, topic, (Operation.READ, Operation.WRITE))]
    if missing := await connections().lacking(settings(), wanted):
        paper.say(sentence(settings(), missing, Actor.OPERATOR, [story.cluster]))
        return
    follow = encode(Follow(run=story.id, follower=secrets.token_hex(8)))
    while True:
        try:
            await _hear_on(topic, follow, seen, paper)
        except BrokerError:  # The other task says so, and goes on as well.
            await asyncio.sleep(_AGAIN_S)
        else:
            return


async def _hear_on(topic: str, follow: bytes, seen: "asyncio.Queue[Any]", paper: Paper) -> None:
    async with reading() as reader, publishing() as publisher:
        if not await reader.partitions(topic):
            paper.say(
                f"no output can be shown live: topic {topic} is not there, which workers of this "
                "version make; what is kept is shown when an attempt has ended"
            )
            return
        reader.follow({TopicPartition(topic, 0): (await reader.ends(topic, [0]))[0]})
        await _hear(reader, lambda: publisher.put_raw(topic, 0, follow, _KIND), seen)


async def _hear(
    reader: LogReader, follow: Callable[[], "asyncio.Future[Ack]"], seen: "asyncio.Queue[Any]"
) -> None:
    """Say again and again that somebody follows, and hear what is written meanwhile."""
    said_at = float("-inf")
    while True:
        if clock.monotonic() - said_at >= EVERY_S:
            said_at, _ = clock.monotonic(), follow()
        for message in await reader.poll(_POLL_S):
            said = decode(message.value)
            if isinstance(said, Written):
                seen.put_nowait(said)
