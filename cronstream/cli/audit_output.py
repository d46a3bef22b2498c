"""What an audit prints: how far it is, each finding, and in the end the counts."""

import sys
from collections import Counter
from datetime import datetime
from typing import Any, Final, Protocol

import click

from cronstream import clock
from cronstream.cli.output import emit, emit_json
from cronstream.core.audit.finding import Finding, Kind, Window
from cronstream.core.audit.tally import Tally
from cronstream.core.wire.times import format_time
from cronstream.history.words import format_duration

#: Of each kind so many findings are printed for people, and the others are counted.
_SHOWN: Final = 20


class ReportWriter(Protocol):
    """Prints an audit."""

    def add(self, finding: Finding) -> None:
        """Take a finding."""

    def end(self, window: Window, tally: Tally, faults: frozenset[Kind]) -> None:
        """Print what it all comes to."""


class JsonReport:
    """One object for each finding, as it is found, and last the summary."""

    def add(self, finding: Finding) -> None:
        """Print a finding."""
        emit_json(
            {
                "kind": finding.kind.value,
                "run": finding.run,
                "job": finding.job,
                "cluster": finding.cluster,
                "text": finding.text,
                **finding.facts,
            }
        )

    def end(self, window: Window, tally: Tally, faults: frozenset[Kind]) -> None:
        """Print the summary."""
        emit_json(
            {
                "kind": "summary",
                "since": window.since,
                "until": window.until,
                **tally.summary(),
                "late_after_s": window.late_after_s,
                "clean": tally.is_clean(faults),
            }
        )


class PlainReport:
    """The counts for people, under some findings of each kind."""

    def __init__(self) -> None:
        self._found: dict[Kind, list[Finding]] = {kind: [] for kind in Kind}
        self._count: Counter[Kind] = Counter()

    def add(self, finding: Finding) -> None:
        """Keep some findings of each kind."""
        self._count[finding.kind] += 1
        if len(self._found[finding.kind]) < _SHOWN:
            self._found[finding.kind].append(finding)

    def end(self, window: Window, tally: Tally, faults: frozenset[Kind]) -> None:
        """Print the findings, the worst kinds first, and the counts."""
        for kind in Kind:
            self._emit_kind(kind)
        for line in _lines(window, tally.summary()):
            emit(line)
        for limit in tally.limits:
            emit(f"not known   {limit}")
        emit("")
        color = "green" if tally.is_clean(faults) else "red"
        click.secho(_conclusion(self._count, faults, tally.limits), fg=color)

    def _emit_kind(self, kind: Kind) -> None:
        if not self._count[kind]:
            return
        emit(f"{kind.value}: {self._count[kind]:,}")
        for finding in self._found[kind]:
            emit(f"  {finding.run}  {finding.text}")
        left = self._count[kind] - len(self._found[kind])
        if left:
            emit(f"  … and {left:,} more (--json prints all)")
        emit("")


def _lines(window: Window, summary: dict[str, Any]) -> list[str]:
    verdicts = ", ".join(f"{count:,} {name}" for name, count in summary["verdicts"].items())
    span = f"{format_time(_whole(window.since))} to {format_time(_whole(window.until))}"
    lines = [
        f"due         {summary['due']:,} from {span}",
        f"verdicts    {verdicts}",
        f"open        {summary['open']:,}",
        f"start delay {_delays(summary['start_delay_s'])}",
    ]
    if len(summary["clusters"]) > 1:
        lines += [f"  {name}: {_delays(of)}" for name, of in summary["clusters"].items()]
    if summary["asked"]:
        lines[0] += f" ({summary['asked']:,} of them asked for by hand or moved)"
    if summary["late_by"]:
        late = ", ".join(f"{count:,} {name} late" for name, count in summary["late_by"].items())
        lines.append(f"late        {late}")
    return lines


def _delays(found: dict[str, float | None]) -> str:
    if found["max"] is None:
        return "nothing was started"
    return ", ".join(f"{name} {format_duration(seconds)}" for name, seconds in found.items())


def _conclusion(count: Counter[Kind], faults: frozenset[Kind], limits: list[str]) -> str:
    broken = [kind for kind in Kind if count[kind] and kind in faults]
    if not broken and limits:
        return "Clean, as far as the topics show; what they do not show is said above."
    if not broken:
        return "Clean: every due time is accounted for, and no attempt was started twice."
    return f"Not clean: {', '.join(f'{count[kind]:,} {kind.value}' for kind in broken)}."


def _whole(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


class Progress:
    """How far it is, in one line on a terminal that is written over."""

    def __init__(self, is_shown: bool) -> None:
        self._is_shown, self._began = is_shown, clock.monotonic()
        self._width = 0

    def show(self, done: int, total: int) -> None:
        """Show how many messages have been read."""
        if not self._is_shown:
            return
        rate = done / max(0.001, clock.monotonic() - self._began)
        share = 100 * done // max(1, total)
        text = f"auditing: {done:,} of {total:,} messages ({share} %, {rate:,.0f}/s)"
        self._write(text)

    def end(self) -> None:
        """Clear the line."""
        if self._width:
            self._write("")

    def _write(self, text: str) -> None:
        sys.stderr.write(f"\r{text.ljust(self._width)}" + ("" if text else "\r"))
        sys.stderr.flush()
        self._width = len(text)
