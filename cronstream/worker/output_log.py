"""What commands write, as log lines: each as it comes, of each run so many in a second."""

import logging
from collections.abc import Iterator, Mapping
from typing import Final

from cronstream import clock
from cronstream.core.protocol.holder import Holding
from cronstream.executor.protocol import Wrote
from cronstream.logs import OUTPUT, Fields, fields

logger = logging.getLogger("cronstream.output")

#: Lines of a run that are logged in a second.
MOST_LINES: Final = 100
#: Characters of a line that are logged.
MOST_CHARACTERS: Final = 4_000
#: A command's stdout and stderr are one pipe, so that their order is what it was.
_STREAM: Final = "output"


class Lines:
    """Cuts what a command writes into lines, and those that are too long."""

    def __init__(self) -> None:
        self._rest, self._more = "", 0

    def feed(self, text: str) -> Iterator[str]:
        """Yield the lines that `text` completes."""
        *ended, last = text.split("\n")
        for part in ended:
            self._add(part)
            yield self.end()
        self._add(last)

    def end(self) -> str:
        """Return what has come of a line, which ends here."""
        line, more = self._rest.removesuffix("\r"), self._more
        self._rest, self._more = "", 0
        return f"{line} ... ({more} more characters)" if more else line

    def _add(self, part: str) -> None:
        room = MOST_CHARACTERS - len(self._rest)
        self._rest += part[:room]
        self._more += max(len(part) - room, 0)


class _Command:
    """One command that writes: its lines, and how many of them this second."""

    def __init__(self, about: Fields) -> None:
        self._about, self.lines = about, Lines()
        self._second, self._number, self._left_out = -1, 0, 0

    def log(self, line: str) -> None:
        """Log a line, if there is room for it in this second."""
        second = int(clock.monotonic())
        if second != self._second:
            self.say_what_is_missing()
            self._second, self._number = second, 0
        if self._number < MOST_LINES:
            logger.info("%s", line, extra=fields(OUTPUT, **self._about))
        else:
            self._left_out += 1
        self._number += 1

    def say_what_is_missing(self) -> None:
        """Log how many lines were left out since this was said last."""
        number, self._left_out = self._left_out, 0
        if number:
            about = self._about.copy()
            about["lines"] = number
            text = "run %s: %d lines of output left out: it writes more than %d in a second"
            extra = fields("output-left-out", **about)
            logger.warning(text, self._about["run"], number, MOST_LINES, extra=extra)

    def miss(self, number: int) -> None:
        """Log how many bytes have not come here: what was written too fast even for that."""
        about = self._about.copy()
        about["bytes"] = number
        text = "run %s: %d bytes of output left out: they came too fast"
        extra = fields("output-left-out", **about)
        logger.warning(text, self._about["run"], number, extra=extra)


class OutputLog:
    """Logs what the commands of a worker write.

    Args:
        holding: What it holds, by key.
    """

    def __init__(self, holding: Mapping[str, Holding]) -> None:
        self._holding = holding
        self._commands: dict[str, _Command] = {}

    def wrote(self, report: Wrote) -> None:
        """Log the lines that a command has written."""
        command = self._command(report.key)
        if command is None:
            return
        for line in command.lines.feed(report.text):
            command.log(line)
        if report.left_out:
            if rest := command.lines.end():
                command.log(rest)
            command.miss(report.left_out)

    def ended(self, key: str) -> None:
        """Log the last line of a command that has ended, if that has no end of its own."""
        command = self._commands.pop(key, None)
        if command is not None:
            if rest := command.lines.end():
                command.log(rest)
            command.say_what_is_missing()

    def _command(self, key: str) -> _Command | None:
        held = self._holding.get(key)
        if held is not None and key not in self._commands:
            run = held.run
            about = Fields(job=run.job, run=run.id, cluster=run.cluster, attempt=run.attempt)
            about["stream"] = _STREAM
            self._commands[key] = _Command(about)
        return self._commands.get(key)
