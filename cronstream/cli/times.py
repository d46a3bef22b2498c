"""Times and lengths of time on the command line."""

from datetime import UTC, datetime, timedelta

import click

from cronstream import clock
from cronstream.core.schedule.duration import iso_moment, moment_of, parse_duration


class Time(click.ParamType):
    """An ISO time; one without a zone is in UTC."""

    name = "time"
    _remedy = (
        "is not a time; write it like 2026-03-29, 2026-03-29T01:30 (UTC) or 2026-03-29T03:30+02:00"
    )

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return an aware UTC time."""
        if isinstance(value, datetime):
            return value
        try:
            return self._read(value)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} {self._remedy}", param, ctx)

    def _read(self, text: str) -> datetime:
        return iso_moment(text)


class Moment(Time):
    """A time: how long ago it was, such as ``90s 1h30m 7d 2w``, or an ISO time."""

    name = "when"
    _remedy = "is neither like 15m, 1h or 7d, and at most 366d, nor an ISO time"

    def _read(self, text: str) -> datetime:
        # Nothing is on a log from before then, and Kafka knows of no such time.
        return max(moment_of(text, clock.now(), way=-1), datetime.fromtimestamp(0, UTC))


class Length(click.ParamType):
    """A length of time, as in the crontab: a number alone means seconds."""

    name = "length"

    def convert(
        self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Return it."""
        if isinstance(value, timedelta):
            return value
        try:
            is_bare = value.isascii() and value.isdecimal()
            return timedelta(seconds=parse_duration(f"{value}s" if is_bare else value))
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)
