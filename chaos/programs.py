"""Debian's Prometheus and Alertmanager, with promtool and amtool: where they are, or unpacked here.

They are taken from PATH; else ``apt-get download`` fetches the two packages into the user's cache
and ``dpkg-deb -x`` unpacks them there, which needs no root and installs nothing. Whoever has
neither apt nor them gets one sentence: without them nothing is known of the rules, so no test is
left out for it.
"""

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import platformdirs
from filelock import FileLock

#: The package that each program comes with.
PACKAGES: Mapping[str, str] = {
    "prometheus": "prometheus",
    "promtool": "prometheus",
    "prometheus-alertmanager": "prometheus-alertmanager",
    "amtool": "prometheus-alertmanager",
}
_CACHE = platformdirs.user_cache_path("cronstream") / "programs"
#: Where Debian's Alertmanager reads its templates, wherever it lies itself.
_TEMPLATES = Path("/usr/share/prometheus/alertmanager")
_DOWNLOAD_S = 240.0
_ANSWER_S = 30.0


class ProgramMissingError(Exception):
    """A program is neither installed, nor could it be fetched."""


def program(name: str, cache: Path = _CACHE) -> str:
    """Return the path of a program that runs.

    Raises:
        ProgramMissingError: It is neither on PATH nor can its package be had.
    """
    found = shutil.which(name) or _fetched(name, cache)
    if name == "prometheus-alertmanager" and not _TEMPLATES.is_dir():
        raise ProgramMissingError(f"{found} reads {_TEMPLATES}, which is not there: install it")
    try:
        _run((found, "--version"), _ANSWER_S)
    except ProgramMissingError as error:
        raise ProgramMissingError(f"{found} does not run here: {error}") from error
    return found


def _fetched(name: str, cache: Path) -> str:
    """Return where the program lies in the cache; it is fetched if it does not."""
    path = cache / PACKAGES[name] / "usr" / "bin" / name
    cache.mkdir(parents=True, exist_ok=True)
    with FileLock(cache / "lock"):
        if not path.is_file():
            _fetch(PACKAGES[name], cache)
    return str(path)


def _fetch(package: str, cache: Path) -> None:
    """Put what a package has into a folder of its name."""
    debs = cache / "debs"
    debs.mkdir(exist_ok=True)
    try:
        _run(("apt-get", "download", package), _DOWNLOAD_S, debs)
    except ProgramMissingError:
        # The lists of packages are not there, as on a new machine: read them into the cache.
        own = _own_lists(cache)
        _run(("apt-get", *own, "update"), _DOWNLOAD_S, debs)
        _run(("apt-get", *own, "download", package), _DOWNLOAD_S, debs)
    [deb] = debs.glob(f"{package}_*.deb")
    unpacked = cache / f"{package}.new"
    shutil.rmtree(unpacked, ignore_errors=True)
    _run(("dpkg-deb", "-x", str(deb), str(unpacked)), _DOWNLOAD_S)
    unpacked.replace(cache / package)


def _own_lists(cache: Path) -> tuple[str, ...]:
    for folder in ("lists/partial", "archives/partial"):
        (cache / "apt" / folder).mkdir(parents=True, exist_ok=True)
    return ("-o", f"Dir::State::lists={cache}/apt/lists", "-o", f"Dir::Cache={cache}/apt")


def _run(command: Sequence[str], limit_s: float, folder: Path | None = None) -> str:
    """Run a command; return what it has said.

    Raises:
        ProgramMissingError: It is not there, fails, or takes too long; with what it said last.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=limit_s,
        )
    except subprocess.CalledProcessError as error:
        said = " ".join(error.stdout.split()[-40:])
        raise ProgramMissingError(f"'{' '.join(command)}' failed: {said}") from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise ProgramMissingError(
            f"'{' '.join(command)}': {error}; tests need Debian's or Ubuntu's packages "
            f"{' and '.join(sorted(set(PACKAGES.values())))}: install them, or apt to fetch them"
        ) from error
    return done.stdout
