"""The crontabs of the installation: one for each scheduler, which differ in the stray jobs."""

import os
from collections.abc import Sequence
from pathlib import Path

from chaos.workload import ChaosJob, crontab_text


class CrontabFiles:
    """Each scheduler has a file of its own; the first has no stray jobs, the second has, and so on.

    An edit puts the stray jobs into a scheduler's file, or takes them out.
    """

    def __init__(self, folder: Path, jobs: Sequence[ChaosJob], note: str) -> None:
        self._folder, self._note = folder, note
        self._with_stray = list(jobs)
        self._without = [job for job in jobs if not job.is_stray]
        self._has_stray: dict[str, bool] = {}
        #: For those who need to know the clusters only.
        self.common = folder / "crontab.yaml"
        self._write(self.common, self._without)

    def of(self, scheduler: str) -> Path:
        """Return the file of a scheduler, and write it if it is a new one."""
        path = self._folder / f"{scheduler}.yaml"
        if scheduler not in self._has_stray:
            self._has_stray[scheduler] = len(self._has_stray) % 2 == 1
            self._rewrite(scheduler, path)
        return path

    def edit(self, scheduler: str) -> str:
        """Change the file of a scheduler, and say how."""
        path = self.of(scheduler)
        self._has_stray[scheduler] = not self._has_stray[scheduler]
        self._rewrite(scheduler, path)
        return "stray jobs added" if self._has_stray[scheduler] else "stray jobs removed"

    def _rewrite(self, scheduler: str, path: Path) -> None:
        self._write(path, self._with_stray if self._has_stray[scheduler] else self._without)

    def _write(self, path: Path, jobs: Sequence[ChaosJob]) -> None:
        new = path.with_suffix(".new")
        new.write_text(crontab_text(jobs, self._note))
        os.replace(new, path)  # noqa: PTH105 - as an editor does: whole, or not at all
