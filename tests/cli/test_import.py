"""``cronstream import``: what it prints and writes, what it says, and what it leaves alone."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from cronstream.cli.main import main
from cronstream.core.crontab.parser import parse_crontab

CRONTAB = "MAILTO=a@b\n0 1 * * * /bin/one\n@reboot /bin/two\n"


def import_(*arguments: str | Path, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["import", *map(str, arguments)], input=stdin)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "mine"
    path.write_text(CRONTAB)
    return path


def test_a_crontab_is_printed_and_what_was_lost_is_said(file: Path) -> None:
    result = import_(file, "--timezone", "Europe/Berlin", "--cluster", "shop")

    crontab = parse_crontab(result.stdout)
    assert [(job.name, job.cluster, job.timezone) for job in crontab.jobs] == [
        ("one", "shop", "Europe/Berlin")
    ]
    said = result.stderr.splitlines()
    assert said[0].startswith(f"{file}:1: no mail goes to")
    assert said[1].startswith(f"{file}:3: @reboot is when a machine starts")
    assert said[2] == "1 job carried over, 1 left out, 1 note"
    assert result.exit_code == 1


def test_nothing_left_out_is_exit_status_0_and_standard_input_is_read() -> None:
    result = import_("-", stdin="0 1 * * * a\n0 2 * * * b\n")

    assert result.exit_code == 0
    assert result.stderr.endswith("2 jobs carried over, 0 left out, 1 note\n")


def test_it_is_written_to_a_file_that_is_not_there(file: Path, tmp_path: Path) -> None:
    target = tmp_path / "crontab.yaml"

    assert import_(file, "-o", target).stdout == ""
    assert parse_crontab(target.read_text()).jobs
    again = import_(file, "-o", target)
    assert again.exit_code == 1
    assert f"{target} is there already, and stays as it is" in again.stderr


def test_for_a_program_jobs_and_notes_are_objects(file: Path, tmp_path: Path) -> None:
    result = import_(file, "--timezone", "UTC", "--json", "-o", tmp_path / "out.yaml")

    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [(each["kind"], each["line"]) for each in found] == [
        ("job", 2),
        ("note", 1),
        ("left-out", 3),
    ]
    assert import_(file, "--json").exit_code == 2


def test_a_timer_finds_its_service_beside_it_or_among_the_files(tmp_path: Path) -> None:
    (tmp_path / "units").mkdir()
    timer, service = tmp_path / "units" / "a.timer", tmp_path / "a.service"
    timer.write_text("[Timer]\nOnCalendar=daily\n")
    service.write_text("[Service]\nExecStart=/bin/a\n")

    assert import_(timer).exit_code == 1
    assert import_(timer, service).exit_code == 0
    service.rename(tmp_path / "units" / "a.service")
    assert "command: [/bin/a]" in import_(timer).stdout


def test_several_files_are_one_crontab(file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("0 3 * * * /bin/three\n")

    assert [job.name for job in parse_crontab(import_(file, other).stdout).jobs] == ["one", "three"]


@pytest.mark.parametrize(
    ("arguments", "said", "status"),
    [
        (["none"], "none cannot be read (no such file or directory)", 1),
        (["."], ". cannot be read (is a directory)", 1),
        (["mine", "--timezone", "Mars"], "time zone 'Mars' is not known", 2),
        (["mine", "--cluster", "A"], "cluster name 'A'", 2),
        (["mine", "--from", "kubernetes"], "there is no CronJob in it", 0),
        (["mine", "-o", "no/such"], "no/such cannot be written", 1),
        (["moved"], "give it to 'cronstream move-in'", 1),
        ([], "Missing argument", 2),
    ],
)
def test_what_does_not_work_is_said_in_a_sentence(
    file: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str, status: int
) -> None:
    monkeypatch.chdir(file.parent)
    Path("moved").write_text('{"cronstream export":1,"level":4}\n')

    result = import_(*arguments)

    assert said in result.stderr
    assert result.exit_code == status


def test_a_file_in_another_encoding_is_read_all_the_same(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes("0 1 * * * echo \xe9\0\n".encode("latin-1"))
    assert "echo é" in import_(tmp_path / "latin").stdout


def test_all_jobs_that_a_zone_has_cost_are_counted() -> None:
    result = import_("-", stdin="CRON_TZ=Mars/Base\n0 1 * * * a\n0 2 * * * b\nMAILTO=x\n")

    assert result.stderr.endswith("0 jobs carried over, 2 left out, 1 note\n")


def test_what_is_said_of_a_service_names_the_folder_that_it_was_given_from(tmp_path: Path) -> None:
    timer, service = tmp_path / "t" / "a.timer", tmp_path / "s" / "a.service"
    timer.parent.mkdir()
    service.parent.mkdir()
    timer.write_text("[Timer]\nOnCalendar=daily\n")
    service.write_text("[Service]\nExecStart=/bin/a\nNice=5\n")

    result = import_(timer, service, "--timezone", "UTC")
    assert result.stderr.startswith(f"{service}:3: Nice=5: write it before the command")
