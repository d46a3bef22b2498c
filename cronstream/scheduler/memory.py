"""What a scheduler remembers between starts, in its data folder.

A file for each installation that its crontab belongs to, with the crontabs that were in force
there. So a scheduler that is started again after an edit knows its own installation, though the
edit may have left none of the jobs.

And the mark of the crontab that was in force last: an unchanged one is not read again (see
`cronstream.scheduler.recalling`).
"""

import contextlib
import logging
from pathlib import Path

from cronstream.logs import fields
from cronstream.settings import Settings

logger = logging.getLogger(__name__)


class DataFolder:
    """Remembers in the data folder; where that cannot be written, it is said, and forgotten."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def knows(self, installation: str) -> bool:
        """Whether the crontab of this process has been in force in an installation."""
        try:
            return self._crontab in self._file(installation).read_text().splitlines()
        except (OSError, ValueError):
            return False

    def remember(self, installation: str) -> None:
        """Note that the crontab of this process belongs to an installation."""
        if self.knows(installation):
            return
        path = self._file(installation)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a") as file:
                file.write(f"{self._crontab}\n")
        except OSError as error:
            logger.warning(
                "it cannot be noted in %s which installation this scheduler belongs to (%s): after "
                "a restart with another crontab it may need --adopt",
                path,
                error.strerror,
                extra=fields("not-remembered"),
            )

    def recalls(self, mark: str) -> bool:
        """Whether a mark is the one that was noted last."""
        try:
            return self._mark_file.read_text() == mark
        except (OSError, ValueError):
            return False

    def note(self, mark: str) -> None:
        """Note a mark in place of the last; where that cannot be, the file is read again."""
        with contextlib.suppress(OSError):
            self._mark_file.parent.mkdir(parents=True, exist_ok=True)
            self._mark_file.write_text(mark)

    @property
    def _mark_file(self) -> Path:
        return self._settings.data_dir / "crontab-in-force"

    @property
    def _crontab(self) -> str:
        return str(self._settings.crontab.absolute())

    def _file(self, installation: str) -> Path:
        return self._settings.data_dir / "installations" / installation
