"""Times and lengths of time on the command line, for commands that ask no broker."""

from datetime import UTC, datetime, timedelta

import click

from cronstream.core.schedule.duration import parse_duration


class Time(click.ParamType):
    """An ISO time; one without a zone is in UTC."""

    name = "time"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return an aware UTC time."""
        try:
            moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is not a time; write it like 2026-03-29, 2026-03-29T01:30 (UTC) "
                "or 2026-03-29T03:30+02:00",
                param,
                ctx,
            )


class Length(click.ParamType):
    """A length of time, as in the crontab."""

    name = "length"

    def convert(
        self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Return it."""
        if isinstance(value, timedelta):
            return value
        try:
            return timedelta(seconds=parse_duration(value))
        except ValueError as error:
            self.fail(f"{value!r} {error}", param, ctx)
