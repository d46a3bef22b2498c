"""``cronstream audit``: holds every due time against the ledgers."""

import sys
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import click

from cronstream import clock
from cronstream.cli import coroutine
from cronstream.cli.audit_output import JsonReport, PlainReport, Progress, ReportWriter
from cronstream.cli.connection import reading
from cronstream.cli.options import chosen_clusters, cluster_option, job_option, since_option
from cronstream.cli.output import is_terminal, json_option, say
from cronstream.cli.times import Moment
from cronstream.core.audit.finding import FAULTS, Kind, Window
from cronstream.core.audit.tally import Tally
from cronstream.core.schedule.duration import parse_duration
from cronstream.history.auditing import Watch
from cronstream.history.auditing import audit as audit_ledgers
from cronstream.settings import settings
from cronstream.trust.keyring import Keyring

_LATE_AFTER = timedelta(seconds=1)


class Span(click.ParamType):
    """A length of time, such as ``1s``, ``0.5s`` or ``2m``."""

    name = "duration"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Return it as a timedelta."""
        try:
            return timedelta(seconds=parse_duration(value))
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What the options say, one field for each."""

    since: datetime
    until: datetime | None
    job: str | None
    cluster: str | None
    late_after: timedelta | None
    strict: bool
    as_json: bool

    def window(self, now: datetime) -> Window:
        until = self.until or now
        if self.since >= until:
            raise click.UsageError("--since must be before --until")
        late_after_s = (self.late_after or _LATE_AFTER).total_seconds()
        return Window(self.since, until, late_after_s, job=self.job)

    def faults(self) -> frozenset[Kind]:
        if self.strict:
            return frozenset(Kind)
        return FAULTS if self.late_after is None else FAULTS | {Kind.LATE}


@click.command
@since_option("24h", "Due times from then on")
@click.option(
    "--until",
    type=Moment(),
    metavar="WHEN",
    help="Due times up to then.  [default: now]",
)
@job_option
@cluster_option
@click.option(
    "--late-after",
    type=Span(),
    metavar="DURATION",
    help="A start is late if it comes this much after its time; if given, late starts fail the "
    "audit.  [default: 1s, and they do not]",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Every finding fails the audit: late starts, and lost attempts that were made again, too.",
)
@json_option
def audit(**chosen: Any) -> None:
    """Prove that every due time became what was promised.

    Works out again, from the history of the jobs, every due time that should have been, and holds
    it against the ledgers. Exit status 1 if there is a due time without an explanation, an attempt
    that was started twice, or anything else that breaks a promise.
    """
    wish = _Wish(**chosen)
    window = wish.window(clock.now())
    report: ReportWriter = JsonReport() if wish.as_json else PlainReport()
    tally = coroutine.run(_audit(window, wish.cluster, report))
    faults = wish.faults()
    report.end(window, tally, faults)
    if not tally.is_clean(faults):
        click.get_current_context().exit(1)


async def _audit(window: Window, cluster: str | None, report: ReportWriter) -> Tally:
    progress = Progress(is_terminal(sys.stderr))
    keyring = Keyring(settings())
    watch = Watch(report=report.add, progress=progress.show, say=say, believes=keyring.believes)
    async with reading() as reader:
        chosen = await chosen_clusters(reader, cluster, is_needed=True)
        window = replace(window, clusters=chosen)
        try:
            return await audit_ledgers(reader, window, watch)
        finally:
            progress.end()
