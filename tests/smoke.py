"""The main job as a new user would try it: ``python -m tests.smoke WHEEL``.

Installs the wheel into an environment of its own, outside of the source, and there has an example
crontab written (``cronstream init``); starts ``cronstream up`` in an empty data folder, waits until
jobs have run in both clusters and one has failed, been tried again and been discarded, and the
console, which it names first, shows a run; edits the file, sees the change, presses Ctrl-C, and
starts once more on the same data. Says how long each took.
"""

import os
import re
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import urllib.request
import venv
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

LIMIT_S = 120.0
CRONTAB = "crontab.yaml"


def install(wheel: Path, folder: Path) -> Path:
    """Install a wheel into a new environment and return its ``cronstream``.

    What it depends on is taken from the environment that this runs in, by a path file: that was
    downloaded once, and a path file does not lead to this one's own cronstream.
    """
    venv.create(folder, with_pip=False, symlinks=True)
    pip = (sys.executable, "-m", "pip", "--quiet", "--python", str(folder / "bin" / "python"))
    subprocess.run([*pip, "install", "--no-deps", "--no-index", str(wheel)], check=True)
    [site] = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    where = (str(folder / "bin" / "python"), "-c", "import cronstream; print(cronstream.__file__)")
    answer = subprocess.run(where, cwd=folder, check=True, capture_output=True, text=True)
    if not answer.stdout.startswith(str(site)):
        sys.exit(f"smoke: the wheel is not what runs, but {answer.stdout}")
    return folder / "bin" / "cronstream"


class Up:
    """A ``cronstream up`` that is running, and what it has printed."""

    def __init__(self, program: Path, folder: Path) -> None:
        self.lines: list[str] = []
        self.began = time.monotonic()
        data = folder.parent / "data"
        self.process = subprocess.Popen(
            [str(program), "up"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "CRONSTREAM_DATA_DIR": str(data), "NO_COLOR": "1"},
            start_new_session=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.lines.append(line.rstrip())

    def wait_for(self, pattern: str) -> float:
        """Return the seconds from the start until a line matched; exit with its lines if none."""
        while time.monotonic() - self.began < LIMIT_S:
            if any(re.search(pattern, line) for line in self.lines):
                return time.monotonic() - self.began
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        print("\n".join(self.lines[-60:]))
        sys.exit(f"smoke: no line matched {pattern!r}")

    def console_shows(self, state: str) -> float:
        """Return the seconds from the start until the console had a run; its address is first."""
        found = re.search(r"the console: (http\S+)", self.lines[0])
        while found and time.monotonic() - self.began < LIMIT_S:
            with suppress(OSError), urllib.request.urlopen(f"{found[1]}runs?state={state}") as page:
                if b'href="/runs/' in page.read():
                    return time.monotonic() - self.began
            time.sleep(0.1)
        print("\n".join(self.lines[-60:]))
        sys.exit(f"smoke: the console never shows a run, or was not said first: {self.lines[0]}")

    def interrupt(self) -> float:
        """Press Ctrl-C; return how long the end took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(60)
        if status != 0:
            print("\n".join(self.lines[-30:]))
            sys.exit(f"smoke: Ctrl-C ended it with status {status}")
        return time.monotonic() - began


@contextmanager
def up(program: Path, folder: Path) -> Iterator[Up]:
    """Start it, and leave nothing of it behind."""
    running = Up(program, folder)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            os.killpg(running.process.pid, signal.SIGKILL)


def main() -> None:
    """Try it all; exit with status 1 at the first thing that is not as it should be."""
    [wheel] = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="cronstream-", ignore_cleanup_errors=True) as name:
        began, place = time.monotonic(), Path(name)
        program, folder = install(wheel, place / "venv"), place / "mine"
        subprocess.run([program, "init", str(folder)], check=True)
        subprocess.run([program, "check"], cwd=folder, check=True)
        print(f"{time.monotonic() - began:6.1f} s  the wheel is installed, and has a crontab")
        passed = first_start(program, folder) + second_start(program, folder)
    print(f"{passed + 1} passed, 0 failed")


def first_start(program: Path, folder: Path) -> int:
    """See jobs run, fail, retry, be discarded; edit the file; end it."""
    checks = {
        "a run succeeded in cluster-a": r"^cluster-a\b.* succeeded",
        "a run succeeded in cluster-b": r"^cluster-b\b.* succeeded",
        "an attempt failed and is retried": r"next attempt not before",
        "a retry worker made a later attempt": r"^\S+ retry\b.*ed \(attempt [2-9]",
        "a run was discarded": r"discarded \(",
    }
    with up(program, folder) as running:
        for what, pattern in checks.items():
            print(f"{running.wait_for(pattern):6.1f} s  {what}")
        print(
            f"{running.console_shows('succeeded'):6.1f} s  the console shows a run that succeeded"
        )
        began = time.monotonic()
        with (folder / CRONTAB).open("a") as file:
            file.write(NEW_JOB)
        running.wait_for(r"smoke-test added")
        print(f"{time.monotonic() - began:6.1f} s  from the edit to its being in force")
        running.wait_for(r"run smoke-test@\S+: succeeded")
        print(f"{running.interrupt():6.1f} s  from Ctrl-C to the end")
    return len(checks) + 4


def second_start(program: Path, folder: Path) -> int:
    """Start again on the same data; it takes less than 15 seconds to the first run."""
    with up(program, folder) as running:
        took = running.wait_for(r" succeeded")
        print(f"{took:6.1f} s  from the second start to a run")
        running.interrupt()
    return 1


NEW_JOB = """
  - name: smoke-test
    cluster: cluster-a
    schedule: "@every 2s"
    command: "true"
"""

if __name__ == "__main__":
    main()
