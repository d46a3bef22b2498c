"""Classic crontabs and supercronic's: what each line becomes, and what is said of what is lost."""

from datetime import UTC, datetime, timedelta

import pytest
from cronsim import CronSim
from hypothesis import given, settings
from hypothesis import strategies as st

from cronstream.core.schedule.schedule import compile_schedule
from cronstream.importers.crontab_lines import has_users, split_input, split_user
from cronstream.importers.found import zone_problem
from tests.importers.imported import imported


def test_an_entry_is_a_job_named_after_its_script() -> None:
    found = imported("30 2 * * 1-5 /usr/local/bin/backup.sh --full >/dev/null 2>&1\n")

    assert found.said == {
        "backup": {
            "cluster": "c",
            "name": "backup",
            "schedule": "30 2 * * 1-5",
            "timezone": "UTC",
            "command": "/usr/local/bin/backup.sh --full >/dev/null 2>&1",
        }
    }
    assert not found.notes
    assert not found.lost


def test_a_variable_holds_for_what_follows_it() -> None:
    found = imported('A=1\n0 1 * * * one\nA = "2 3"\nB=\n0 2 * * * two\n')

    assert found.said["one"]["env"] == {"A": "1"}
    assert found.said["two"]["env"] == {"A": "2 3", "B": ""}


def test_what_all_jobs_have_goes_under_the_defaults_once() -> None:
    found = imported("PATH=/bin\nCRON_TZ=Asia/Tokyo\n0 1 * * * one\n0 2 * * * two\n")

    assert found.text.count("/bin") == 1
    assert found.jobs["two"].timezone == "Asia/Tokyo"
    assert found.jobs["two"].env == {"PATH": "/bin", "TZ": "Asia/Tokyo"}


def test_another_shell_is_the_jobs_shell() -> None:
    found = imported("SHELL=/bin/bash\n0 1 * * * source x && [[ a ]]\n")
    assert found.only["shell"] == "/bin/bash -c"


def test_home_is_where_a_command_starts() -> None:
    assert imported("HOME=/srv\n0 1 * * * one\n").only["cwd"] == "/srv"


def test_what_stands_behind_a_percent_sign_is_fed_to_the_command() -> None:
    found = imported(r"0 9 * * * mail -s '100\% it' bob%hello%it's me" + "\n")

    assert found.only["command"] == (
        "printf '%s\\n' hello 'it'\"'\"'s me' | /bin/sh -c 'mail -s '\"'\"'100% it'\"'\"' bob'"
    )


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a", ("a", None)),
        ("a%", ("a", "")),
        (r"a\%b", ("a%b", None)),
        (r"a%b\%c%d", ("a", "b%c\nd")),
    ],
)
def test_a_percent_sign_divides_a_command_from_its_input(
    text: str, parts: tuple[str, str | None]
) -> None:
    assert split_input(text) == parts


def test_a_system_crontab_is_seen_by_its_users() -> None:
    found = imported("17 *\t* * *\troot    cd / && run-parts --report /etc/cron.hourly\n")

    assert found.only["user"] == "root"
    assert found.only["command"] == "cd / && run-parts --report /etc/cron.hourly"


@pytest.mark.parametrize(
    ("entry", "has"),
    [
        ("* * * * * root /bin/x", True),
        ("* * * * * ubuntu /bin/x", True),
        ("* * * * * php /bin/x", False),
        ("* * * * * /bin/x", False),
        ("* * * * * root /bin/x\n* * * * * /bin/y z", False),
        ("* * * * * root", False),
    ],
)
def test_a_users_crontab_is_not_taken_for_a_systems(entry: str, has: bool) -> None:
    assert has_users(entry) is has


def test_a_group_behind_a_user_is_freebsds() -> None:
    assert split_user("www:www/daemon\tx y") == ("www", "x y")
    assert imported("@daily root", "system-crontab").notes == [
        "f:1: no user stands before the command; it runs as the worker's"
    ]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("@reboot x", "f:1: @reboot is when a machine starts"),
        ("0 0 31 2 * x", "f:1: schedule '0 0 31 2 *' can never be due"),
        ("61 * * * * x", "f:1: schedule '61 * * * *' minute '61' is out of range"),
        ("* * * * x", "f:1: '* * * * x' is no entry"),
        ("* * * * *", "f:1: '* * * * *' is no entry"),
        ("oops", "f:1: 'oops' is no entry"),
        ("* * * * * %x", "f:1: it has no command"),
        ("CRON_TZ=Mars/One\n* * * * * x", "f:1: time zone 'Mars/One' is not known"),
        ("10~5 * * * * x", "f:1: minute '10~5' runs backwards; write the smaller number first"),
        ("0~99 * * * * x", "f:1: minute '0~99' is out of range"),
        ("0 1 * * 5~7 x", "f:1: day of week '5~7' is out of range"),
    ],
)
def test_what_cannot_be_a_job_is_left_out_with_its_line(line: str, said: str) -> None:
    found = imported(f"{line}\n")

    assert not found.said
    assert found.lost[0].startswith(said)
    assert f"# left out: {said}" in found.text


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("MAILTO=a@b\n@daily x", "f:1: no mail goes to 'a@b'"),
        ("MAILFROM=a\n@daily x", "f:1: MAILFROM is about cron's mails"),
        ("TZ=Asia/Tokyo\n@daily x", "f:1: TZ is for the commands"),
        ("PATH=$PATH:/x\n@daily x", "f:1: PATH has a $"),
        ("LOGNAME=x\n@daily x", "f:1: LOGNAME is whom commands run as"),
        ("START_HOURS_RANGE=3-22\n@daily x", "f:1: START_HOURS_RANGE is anacron's"),
        ("0 5/6 * * * x", "f:1: '5/6' is read as 5-23/6"),
        ("*/90 * * * * x", "f:1: '*/90' steps beyond the end, so it is 0 alone"),
        ("0~30 3 * * * x", "f:1: '0~30' was picked by chance"),
        ("*/6 * * * * * echo", "f:1: its command begins like a field"),
    ],
)
def test_what_is_not_as_it_was_is_noted_at_its_line(lines: str, said: str) -> None:
    found = imported(f"{lines}\n")

    assert found.said
    assert any(note.startswith(said) for note in found.notes), found.notes


def test_no_mail_to_nobody_is_noted() -> None:
    assert not imported('MAILTO=""\n@daily x\n').notes


def test_a_file_without_a_zone_is_taken_for_utc_and_that_is_said() -> None:
    found = imported("0 1 * * * x\n", zone=None)

    assert found.only.get("timezone") is None
    assert found.notes == [
        "f:1: its times are by its machine's clock, and are taken for UTC; name it with --timezone"
    ]


def test_the_words_of_other_crons_are_understood() -> None:
    found = imported("-@every_minute a\n0~30 3 * * Monday b\nRANDOM_DELAY=5\n@midnight -n -s c\n")

    assert found.said["a"]["schedule"] == "* * * * *"
    assert found.said["b"]["schedule"] == "H(0-30) 3 * * mon"
    assert found.said["c"]["jitter"] == "5m"
    assert found.said["c"]["overlap"] == "skip"
    assert found.said["c"]["command"] == "c"


def test_a_telling_comment_above_an_entry_describes_the_job() -> None:
    found = imported("# m h dom mon dow command\n0 1 * * * a\n\n# Sends the mail\n0 2 * * * b\n")

    assert "description" not in found.said["a"]
    assert found.said["b"]["description"] == "Sends the mail"


@pytest.mark.parametrize(
    "comment",
    [
        "#0~59\t*\t*\t*\t*\tsleep 5 && rpki-client",
        "# For example:\n# 0\t5\t*\t*\t1\ttar -zcf /var/backups/home.tgz /home/",
        "# 0 5 * * 1 tar -zcf /var/backups/home.tgz /home/",
        "#30 2 * jan-mar mon,tue /bin/x",
        "#-*/5 * * * * root /bin/x",
        "#@daily /bin/x",
        "#MAILTO=ann",
        "#~ MAGENTO END 1a2b3c",
        "# BEGIN ANSIBLE MANAGED BLOCK",
        "# End Whenever generated tasks for: shop at: 2026",
        "# Do not edit this file",
        "# -*- mode: conf -*-",
        "# Sends the mail\n",
        "# Sends the mail\n#0 1 * * * /bin/mail",
    ],
)
def test_an_entry_that_was_taken_out_and_a_marker_describe_nothing(comment: str) -> None:
    assert "description" not in imported(f"{comment}\n0 1 * * * a\n", "crontab").only


@pytest.mark.parametrize(
    "comment",
    ["Sends the mail to everybody in town", "5 times a day, a mail", "At the end: x"],
)
def test_prose_is_not_taken_for_an_entry_that_was_taken_out(comment: str) -> None:
    found = imported(f"#0 1 * * * b\n# {comment}\n0 1 * * * a\n", "crontab")
    assert found.only["description"] == comment


def test_flags_of_openbsd_stand_behind_the_user_in_a_systems_crontab() -> None:
    found = imported("@daily root -n bar\n@daily\troot\t-qs foo -n\n", "system-crontab")

    assert found.said["bar"]["command"] == "bar"
    assert "overlap" not in found.said["bar"]
    assert found.said["foo"]["command"] == "foo -n"
    assert found.said["foo"]["overlap"] == "skip"


def test_a_zone_that_is_none_is_one_problem_at_its_line() -> None:
    text = "0 1 * * * a\nCRON_TZ=Mars/Base\n0 1 * * * b\n0 2 * * * c\nCRON_TZ=UTC\n0 1 * * * d\n"
    found = imported(text)

    assert list(found.said) == ["a", "d"]
    assert found.lost == [
        f"f:2: {zone_problem('Mars/Base')}; 'b', 'c' are left out",
    ]


def test_a_zone_that_is_none_and_holds_for_nothing_loses_no_job() -> None:
    found = imported("0 1 * * * a\nCRON_TZ=Mars/Base\n")

    assert found.said
    assert not found.lost
    assert found.notes[0].startswith("f:2: time zone 'Mars/Base' is not known")


# -- supercronic ---------------------------------------------------------------------------------


def test_supercronic_has_seconds_and_years_and_lets_no_runs_overlap() -> None:
    found = imported(
        "*/5 * * * * * * a\n0 0 1 1 * 2027 b\n0 1 * * Friday c%d\nA=1\n", "supercronic"
    )

    assert found.said["a"]["schedule"] == "*/5 * * * * *"
    assert found.said["b"]["start"] == "2027-01-01"
    assert found.said["b"]["end"] == "2027-12-31"
    assert found.said["c-d"]["command"] == "c%d"
    assert {job["overlap"] for job in found.said.values()} == {"skip"}
    assert all(job["env"] == {"A": "1"} for job in found.said.values())


def test_seven_fields_are_known_for_supercronics() -> None:
    assert imported("*/5 * * * * * * a\n").only["schedule"] == "*/5 * * * * *"


def test_years_that_are_no_range_are_left_out() -> None:
    found = imported("0 0 1 1 * 2027,2029 b\n", "supercronic")
    assert found.lost[0].startswith("f:1: year '2027,2029' is not one range")


def test_two_days_of_which_one_has_a_step_are_either_to_it() -> None:
    """To cronexpr a star with a step restricts; to cron(8) a field with a star does not."""
    assert imported("0 0 */2 * 1 a\n", "supercronic").only["schedule"] == "0 0 1-31/2 * 1"
    assert imported("0 0 */2 * 1 a\n", "crontab").only["schedule"] == "0 0 */2 * 1"


# -- due times -----------------------------------------------------------------------------------


def _terms(low: int, high: int) -> st.SearchStrategy[str]:
    numbers = st.integers(low, high)
    ranges = st.tuples(numbers, numbers).map(lambda pair: f"{min(pair)}-{max(pair)}")
    steps = st.integers(1, high).map(lambda step: f"*/{step}")
    term = st.one_of(st.just("*"), numbers.map(str), ranges, steps)
    return st.lists(term, min_size=1, max_size=2).map(",".join)


@settings(max_examples=100, deadline=None)
@given(
    st.tuples(_terms(0, 59), _terms(0, 23), _terms(1, 28), _terms(1, 12), _terms(0, 6)).map(
        " ".join
    )
)
def test_due_times_are_those_of_the_line(expression: str) -> None:
    """As Debian's cron has them, by cronsim; in lists with a star that is all there is to it."""
    found = imported(f"{expression} /bin/x\n", "crontab")
    start = datetime(2026, 1, 1, tzinfo=UTC)
    schedule = compile_schedule(found.jobs["x"].schedule, "UTC")

    ours, due = [], start - timedelta(seconds=1)
    for _ in range(20):
        following = schedule.next_after(due)
        assert following is not None
        due = following
        ours.append(due)
    theirs = CronSim(expression, start - timedelta(minutes=1))
    assert ours == [next(theirs) for _ in range(20)]
