"""Which shell runs a job's command."""

import shutil
import subprocess
import sys

import pytest

from cronstream.core.crontab.parser import parse_crontab
from tests.core.crontab.test_parser import a_crontab, problems, the_job

BASH = ["/bin/bash", "-euo", "pipefail", "-c"]


@pytest.mark.parametrize("said", ["/bin/bash -euo pipefail -c", str(BASH)])
def test_a_command_in_text_is_the_last_argument_of_its_jobs_shell(said: str) -> None:
    assert the_job(a_crontab(f"shell: {said}")).command == [*BASH, "pg_dump"]


def test_what_a_shell_says_of_a_failed_pipe_is_what_the_job_gets() -> None:
    text = a_crontab("shell: /bin/bash -euo pipefail -c").replace("pg_dump", "false | true")
    assert subprocess.run(the_job(text).command, check=False).returncode == 1


def test_a_shell_of_the_defaults_is_for_text_and_a_list_is_started_without_one() -> None:
    text = a_crontab(defaults="{shell: /bin/bash -euo pipefail -c}")
    assert the_job(text).command == [*BASH, "pg_dump"]
    assert the_job(text.replace("command: pg_dump", "command: [pg_dump]")).command == ["pg_dump"]
    text = a_crontab("shell:", defaults="{shell: /bin/bash -c}")
    assert the_job(text).command == "pg_dump"


def test_a_quoted_word_of_a_shell_is_one_argument_and_nothing_is_expanded() -> None:
    job = the_job(a_crontab("""shell: '"/opt/my bash" "$HOME" -c'"""))
    assert job.command == ["/opt/my bash", "$HOME", "-c", "pg_dump"]


def test_a_shell_of_a_job_that_takes_arguments_has_its_own_name_before_them() -> None:
    job = the_job(a_crontab("shell: /bin/bash -c\nallow_args: true"))
    assert job.command == ["/bin/bash", "-c", "pg_dump", "/bin/bash"]


@pytest.mark.parametrize(
    ("shell", "between"),
    [
        ("/bin/dash -ec", ["/bin/dash"]),
        ("/usr/bin/env bash -c", ["/usr/bin/env"]),
        ("/opt/unheard-of -c", ["/opt/unheard-of"]),
        ("/usr/bin/python3.11 -c", []),
        ("/usr/bin/env python3 -c", []),
        ("perl -we", ["--"]),
        ("/usr/bin/node -e", ["--"]),
        ("fish -c", ["--"]),
    ],
)
def test_what_is_no_sh_has_no_name_before_its_arguments(shell: str, between: list[str]) -> None:
    job = the_job(a_crontab(f"shell: {shell}\nallow_args: true"))
    assert job.command == [*shell.split(), "pg_dump", *between]


@pytest.mark.parametrize(
    ("shell", "command"),
    [
        (f"{sys.executable} -c", "import sys; print(*sys.argv[1:])"),
        ("/bin/sh -c", 'echo "$@"'),
        ("perl -e", r'print "@ARGV\n";'),
        ("node -e", "console.log(...process.argv.slice(1))"),
    ],
)
def test_arguments_come_to_the_command_as_they_are_and_never_as_options_of_its_shell(
    shell: str, command: str
) -> None:
    program, _ = shell.split()
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not there")
    text = a_crontab(f"shell: {shell}\nallow_args: true").replace("pg_dump", f"'{command}'")
    words = [*the_job(text).command, "-e", "print(6 * 7)", "z"]
    told = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    assert told == "-e print(6 * 7) z\n"


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (
            "shell: /bin/bash",
            "shell '/bin/bash' '/bin/bash' would take the command for a file; end",
        ),
        ("shell: 3", "shell 3 must be text, or a list of strings; write it like '/bin/bash -euo"),
        ("shell: [bash, 1]", "must be text, or a list of strings"),
        ("shell: ''", "names no program"),
        ("shell: -c", "names no program"),
        ('shell: "bash \'x -c"', "has a quote that is not closed; close it"),
    ],
)
def test_a_shell_that_is_none_is_told_with_what_to_write(line: str, problem: str) -> None:
    [found] = problems(a_crontab(line))
    assert problem in found, found


def test_a_shell_beside_a_command_that_is_a_list_is_a_mistake_of_its_line() -> None:
    text = a_crontab("shell: /bin/bash -c").replace("command: pg_dump", "command: [pg_dump]")
    [found] = problems(text)
    assert found == (
        "line 8, column 5: job 'backup': shell is for a command in text, and a list is started "
        "without one; take it out"
    )


def test_a_mistake_in_the_shell_of_all_jobs_is_told_once() -> None:
    [found] = problems(a_crontab(defaults="{shell: bash}"))
    assert "defaults: shell 'bash'" in found
    assert parse_crontab("version: 1\nclusters: [a]\ndefaults: {shell: bash -c}\njobs: []").default
