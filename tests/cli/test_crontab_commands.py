"""``check``, ``jobs`` and ``next``: what is on standard output, and the exit status."""

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cronstream import clock
from cronstream.cli.connection import Connections
from cronstream.cli.main import main
from cronstream.crontab_file import read_crontab
from cronstream.errors import UnreachableError
from cronstream.settings import Settings, settings
from tests.builders import NOON

GOOD = """\
version: 1
clusters: {cluster-a: , cluster-b: }
jobs:
  - {name: hourly, cluster: cluster-a, schedule: "@hourly", command: "true", max_attempts: 3}
  - name: berlin
    cluster: cluster-b
    schedule: "30 14 * * *"
    timezone: Europe/Berlin
    command: [echo, "a\\tb"]
    env: {KEY: value}
"""
BAD = GOOD.replace("@hourly", "61 * * * *").replace("cluster: cluster-b", "cluster: cluster-c")


@pytest.fixture(autouse=True)
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A good crontab, where settings say; it is noon."""
    path = tmp_path / "crontab.yaml"
    path.write_text(GOOD)
    monkeypatch.setenv("CRONSTREAM_CRONTAB", str(path))
    monkeypatch.setattr(clock, "now", lambda: NOON)
    settings.cache_clear()
    return path


async def nobody(_: Settings) -> None:
    raise UnreachableError("no Kafka answers", "start one")


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, obj=Connections(probe=nobody))


def objects(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


# -- check ---------------------------------------------------------------------------------------


def test_a_good_crontab_is_said_on_standard_error_only(path: Path) -> None:
    result = run("check")
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == f"{path}: 2 jobs in 2 clusters, no problems\n"


def test_jobs_that_the_file_has_paused_are_counted(path: Path) -> None:
    path.write_text(GOOD.replace("max_attempts: 3", "max_attempts: 3, enabled: false"))
    said = f"{path}: 2 jobs in 2 clusters, no problems, 1 job paused (enabled: false)\n"
    assert run("check").stderr == said


def test_every_problem_is_a_line_that_editors_can_follow(path: Path) -> None:
    path.write_text(BAD)
    result = run("check")
    assert result.exit_code == 1
    first, second = result.stdout.splitlines()
    assert first.startswith(f"{path}:4:50: job 'hourly': schedule '61 * * * *': minute '61' is out")
    assert second.startswith(f"{path}:6:14: job 'berlin': cluster 'cluster-c' is not known")
    assert result.stderr == f"{path}: 2 problems\n"


def test_a_problem_is_told_with_the_file_that_it_is_in(path: Path) -> None:
    path.write_text("version: 1\nclusters: [a]\ninclude: [one.yaml, two.yaml]\n")
    (path.parent / "one.yaml").write_text("jobs: []\n")
    (path.parent / "two.yaml").write_text("jobs:\n  - {name: x, command: y}\n")
    result = run("check")
    two = path.parent / "two.yaml"
    assert result.exit_code == 1
    assert result.stdout.splitlines()[0].startswith(f"{two}:2:5: job 'x': 'cluster' is missing")
    assert {each["file"] for each in objects(run("check", "--json"))} == {str(two)}


def test_jobs_are_told_with_the_file_and_the_line_that_they_are_written_in(path: Path) -> None:
    own = "jobs:\n  - {name: own, cluster: a, schedule: '@daily', command: x}\n"
    path.write_text("version: 1\nclusters: [a]\ninclude: [teams/*.yaml]\n" + own)
    (path.parent / "teams").mkdir()
    text = "jobs:\n\n  - {name: x, cluster: a, schedule: '@daily', command: y}\n"
    (path.parent / "teams" / "one.yaml").write_text(text)

    found = [(one["name"], one["file"], one["line"]) for one in objects(run("jobs", "--json"))]
    assert found == [("own", path.name, 5), ("x", "teams/one.yaml", 3)]
    heads, *rows = run("jobs").stdout.splitlines()
    assert heads.split()[-2:] == ["WRITTEN", "IN"]
    assert [row.split()[-1] for row in rows] == [f"{path.name}:5", "teams/one.yaml:3"]
    path.write_text("version: 1\nclusters: [a]\n" + own)
    assert "WRITTEN IN" not in run("jobs").stdout


def test_every_problem_is_an_object_for_programs(path: Path) -> None:
    path.write_text(BAD)
    result = run("check", "--json")
    assert result.exit_code == 1
    first, second = objects(result)
    assert (first["file"], first["line"], first["column"]) == (str(path), 4, 50)
    assert second["problem"].startswith("job 'berlin': cluster 'cluster-c' is not known")
    assert (first["job"], first["key"]) == ("hourly", "schedule")
    assert (second["job"], second["key"]) == ("berlin", "cluster")


ROOT = "version: 1\nclusters: [a]\njobs: []\n"


def one_job(settings: str) -> str:
    """A crontab with one job, of which one setting is wrong."""
    job = f'{{name: one, cluster: a, schedule: "@daily", command: x, {settings}}}'
    return ROOT.replace("[]", f"[{job}]")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (one_job("cwdd: /"), {"job": "one", "key": "cwdd"}),
        (one_job("backoff: {frist: 1s}"), {"job": "one", "key": "backoff.frist"}),
        (one_job("retry_on: {exit_statuses: 3}"), {"job": "one", "key": "retry_on.exit_statuses"}),
        (one_job("env: {A: 1}"), {"job": "one", "key": "env.A"}),
        (one_job("timezone: Mars/Base"), {"job": "one", "key": "timezone"}),
        (one_job("").replace("schedule: ", "#"), {}),
        (ROOT.replace("[]", "[{name: one, cluster: a}]"), {"job": "one", "key": "command"}),
        (ROOT.replace("[]", "[3]"), {}),
        (ROOT + "defaults: {grace: zz}\n", {"key": "defaults.grace"}),
        (ROOT + "defaults: {command: zz}\n", {"key": "defaults.command"}),
        (ROOT.replace("[a]", "{a: {size: 1}}"), {"key": "clusters.a.size"}),
        (ROOT + "job: []\n", {"key": "job"}),
        ("", {}),
    ],
)
def test_a_problem_for_programs_names_job_and_key_as_the_file_has_them(
    path: Path, text: str, words: dict[str, str]
) -> None:
    path.write_text(text)
    first = objects(run("check", "--json"))[0]
    assert {name: first[name] for name in ("job", "key") if name in first} == words


def test_a_name_that_looks_like_a_sentence_is_not_taken_apart(path: Path) -> None:
    path.write_text(ROOT.replace("[]", """[{name: "it's: key 'x'", cluster: a, command: x}]"""))
    found = [(each["job"], each["key"]) for each in objects(run("check", "--json"))]
    assert sorted(found) == [("it's: key 'x'", "name"), ("it's: key 'x'", "schedule")]


def test_a_dash_is_standard_input() -> None:
    result = CliRunner().invoke(main, ["check", "-"], input=BAD)
    assert result.exit_code == 1
    assert result.stdout.startswith("<stdin>:4:50: job 'hourly': schedule '61 * * * *'")
    assert result.stderr == "<stdin>: 2 problems\n"
    result = CliRunner().invoke(main, ["check", "--advice", "-"], input=GOOD)
    assert result.exit_code == 0
    assert result.stdout.startswith("<stdin>:4:12: advice: ")
    assert result.stderr.startswith("<stdin>: 2 jobs in 2 clusters, no problems")
    result = CliRunner().invoke(main, ["check", "-"], input=b"\xff")
    assert "<stdin>:1:1: no UTF-8 from here on" in result.stdout
    listed = CliRunner().invoke(main, ["jobs", "-", "--json"], input=GOOD)
    assert [job["name"] for job in objects(listed)] == ["hourly", "berlin"]


def test_advice_is_given_when_it_is_asked_for_and_is_no_problem(path: Path) -> None:
    result = run("check", "--advice")
    assert result.exit_code == 0
    assert result.stdout.startswith(
        f"{path}:4:12: advice: 2 jobs (hourly, berlin) have no timeout: a command that hangs"
    )
    assert result.stderr == f"{path}: 2 jobs in 2 clusters, no problems, 1 piece of advice\n"


def test_each_piece_of_advice_is_an_object_for_programs(path: Path) -> None:
    [piece] = objects(run("check", "--advice", "--json"))
    sentence = piece.pop("advice")
    assert piece == {
        "file": str(path),
        "line": 4,
        "column": 12,
        "kind": "timeout",
        "jobs": ["hourly", "berlin"],
    }
    assert "have no timeout" in sentence


def a_herd(number: int) -> str:
    jobs = (
        f'  - {{name: job-{n}, cluster: a, schedule: "@daily", command: "true", timeout: 1h}}\n'
        for n in range(number)
    )
    return "version: 1\nclusters: [a]\njobs:\n" + "".join(jobs)


def test_a_herd_is_told_with_what_each_job_may_say_instead(path: Path) -> None:
    path.write_text(a_herd(22))
    result = run("check", "--advice")
    herd, *spreads = result.stdout.splitlines()
    assert "22 jobs (job-0, job-1, job-2 and 19 more) of cluster 'a' are due in the same" in herd
    assert spreads[0] == ("    job-0: write 'H 0 * * *' for '@daily', which is '5 0 * * *' for it")
    assert len(spreads) == 20
    assert "and 2 more jobs: --json shows all" in result.stderr

    [piece] = objects(run("check", "--advice", "--json"))
    assert len(piece["spread"]) == 22
    assert piece["spread"][0] == {
        "job": "job-0",
        "schedule": "@daily",
        "instead": "H 0 * * *",
        "becomes": "5 0 * * *",
    }


def test_a_job_of_a_herd_that_cannot_be_spread_is_named_all_the_same(path: Path) -> None:
    path.write_text(a_herd(21).replace("@daily", "@every 7h", 1).replace("@daily", "@every 1h"))
    assert "    job-0: -\n" in run("check", "--advice").stdout


def test_a_crontab_with_problems_gets_no_advice(path: Path) -> None:
    path.write_text(BAD)
    result = run("check", "--advice")
    assert result.exit_code == 1
    assert "advice" not in result.stdout


def test_another_file_can_be_named(tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text("")
    result = run("check", str(other))
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{other}:1:1: the crontab is empty")


def test_a_file_that_is_not_there_is_a_problem_without_a_line(tmp_path: Path) -> None:
    result = run("check", str(tmp_path / "none"))
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{tmp_path / 'none'}: there is no such file")
    assert set(objects(run("check", "--json", str(tmp_path / "none")))[0]) == {"file", "problem"}


def test_what_a_file_says_cannot_reach_the_terminal(path: Path) -> None:
    path.write_text(GOOD.replace("name: hourly", 'name: "\\e[2J"'))
    result = run("check")
    assert result.exit_code == 1
    assert "\x1b" not in result.output


# -- jobs ----------------------------------------------------------------------------------------


def test_jobs_are_listed_with_when_each_is_due_next() -> None:
    result = run("jobs")
    assert result.exit_code == 0
    assert [" ".join(line.split()) for line in result.stdout.splitlines()] == [
        "JOB CLUSTER SCHEDULE ZONE ATTEMPTS NEXT DUE",
        "hourly cluster-a @hourly UTC 3 2026-01-01T13:00:00Z",
        "berlin cluster-b 30 14 * * * Europe/Berlin 1 2026-01-01T13:30:00Z",
    ]


def test_a_job_that_the_file_has_paused_is_marked_in_the_list(path: Path) -> None:
    path.write_text(GOOD.replace("max_attempts: 3", "max_attempts: 3, enabled: false"))
    _, hourly, berlin = run("jobs").stdout.splitlines()
    assert hourly.endswith(" paused (enabled: false)")
    assert berlin.endswith(" 2026-01-01T13:30:00Z")
    assert [job["enabled"] for job in objects(run("jobs", "--json"))] == [False, True]


def test_jobs_as_json_have_every_setting_with_its_default() -> None:
    hourly, berlin = objects(run("jobs", "--json"))
    assert hourly["next"] == "2026-01-01T13:00:00Z"
    assert hourly["backoff"] == {"first": "15s", "factor": 2.0, "ceiling": "1h", "jitter": 0.1}
    assert hourly["retry_on"] == {"exit_statuses": "all", "timeouts": True}
    assert (hourly["timeout"], hourly["grace"], hourly["missed_grace"]) == (None, "10s", "5m")
    assert berlin["command"] == ["echo", "a\tb"]
    assert berlin["env"] == {"TZ": "Europe/Berlin", "KEY": "value"}
    assert (berlin["overlap"], berlin["max_queue"], berlin["fence"]) == ("allow", None, False)
    assert not {"effective_from", "removed"} & hourly.keys()


def test_jobs_as_json_can_be_written_into_a_crontab_again(path: Path) -> None:
    settings = (
        "timeout: 2h, grace: 1m30s, env: {A: b}, cwd: /tmp, delivery: at_most_once, overlap: queue,"
        "max_queue: 7, missed_grace: 0.5s, description: x, timezone: Europe/Berlin,"
        "backoff: {first: 2s, factor: 3, ceiling: 1d, jitter: 0.5},"
        "retry_on: {exit_statuses: [75], timeouts: false}, expect_within: 25h,"
        'user: nobody, umask: "027", limits: {cpu: 90s, memory: 2G, files: 64},'
        "ping: {healthchecks: {file: /run/secrets/hc}, sentry: {from: SENTRY}},"
        "on_success: {from: A}, on_discard: {file: /run/secrets/chat},"
        "exclude: [2026-12-24, '* * * * sun'], start: 2026-01-01, end: 2027-12-31, dst: once,"
        "jitter: 90s"
    ).replace("{A: b}", "{A: b, TOKEN: {file: /run/secrets/token}, OTHER: {from: TOKEN}}")
    path.write_text(GOOD.replace("max_attempts: 3", f"max_attempts: 3, {settings}"))
    before = read_crontab(path).jobs
    written = [
        {
            key: value
            for key, value in job.items()
            if key not in ("file", "line", "next", "crontabs") and value is not None
        }
        for job in objects(run("jobs", "--json"))
    ]
    clusters = {"cluster-a": None, "cluster-b": None}
    path.write_text(json.dumps({"version": 1, "clusters": clusters, "jobs": written}))

    assert read_crontab(path).jobs == before


def test_a_crontab_without_jobs_lists_nothing_and_says_so(path: Path) -> None:
    path.write_text("version: 1\nclusters: {a: }\njobs: []\n")
    result = run("jobs")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "there are no jobs in it" in result.stderr


@pytest.mark.parametrize("command", ["jobs", "next"])
def test_of_a_bad_crontab_nothing_is_listed_but_its_problems(path: Path, command: str) -> None:
    path.write_text(BAD)
    result = run(command)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.count(f"cronstream: {path}: line ") == 2


# -- next ----------------------------------------------------------------------------------------


def dues(*arguments: str) -> list[tuple[str, str]]:
    return [(line["job"], line["due"]) for line in objects(run("next", "--json", *arguments))]


def test_the_next_due_times_of_all_jobs_are_merged_in_the_order_of_time() -> None:
    assert dues("--count", "4") == [
        ("hourly", "2026-01-01T13:00:00Z"),
        ("berlin", "2026-01-01T13:30:00Z"),
        ("hourly", "2026-01-01T14:00:00Z"),
        ("hourly", "2026-01-01T15:00:00Z"),
    ]


def test_one_job_alone_can_be_asked_for() -> None:
    assert dues("berlin", "--count", "2") == [
        ("berlin", "2026-01-01T13:30:00Z"),
        ("berlin", "2026-01-02T13:30:00Z"),
    ]


def test_ten_due_times_are_shown_if_no_count_is_given() -> None:
    assert len(dues()) == 10


@pytest.mark.parametrize(
    "start", ["2026-07-01", "2026-07-01T00:00Z", "2026-07-01T02:00+02:00", "2026-07-01T00:00"]
)
def test_the_search_begins_where_one_says_in_utc_if_no_zone_is_given(start: str) -> None:
    assert dues("berlin", "--count", "1", "--from", start) == [("berlin", "2026-07-01T12:30:00Z")]


def test_a_due_time_is_shown_in_utc_and_by_the_jobs_own_clock() -> None:
    result = run("next", "berlin", "--count", "1", "--from", "2026-07-01")
    assert result.exit_code == 0
    titles, row = result.stdout.splitlines()
    assert titles.split() == ["DUE", "LOCAL", "TIME", "ZONE", "JOB", "CLUSTER"]
    assert " ".join(row.split()) == (
        "2026-07-01T12:30:00Z Wed 2026-07-01 14:30:00 +0200 Europe/Berlin berlin cluster-b"
    )
    [line] = objects(run("next", "berlin", "--count", "1", "--json", "--from", "2026-07-01"))
    assert line["local"] == "2026-07-01T14:30:00+02:00"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--from", "tomorrow"], "'tomorrow' is not a time; write it like 2026-03-29"),
        (["--from", "0001-01-01T00:00+14:00"], "is not a time"),
        (["--count", "0"], "0 is not in the range"),
    ],
)
def test_wrong_usage_has_status_2_and_a_remedy(arguments: list[str], sentence: str) -> None:
    result = run("next", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert sentence in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("name", "hint"),
    [("hurly", "did you mean 'hourly'?"), ("xyz", "list them with 'cronstream jobs'")],
)
def test_a_job_that_is_not_there_is_not_found_and_the_nearest_is_named(
    name: str, hint: str
) -> None:
    result = run("next", name)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr == f"cronstream: there is no job {name!r} in the crontab; {hint}\n"


def test_of_a_job_that_is_due_once_more_only_that_is_shown() -> None:
    assert dues("hourly", "--from", "9999-12-31T22:30") == [("hourly", "9999-12-31T23:00:00Z")]


def test_at_the_end_of_the_calendar_nothing_is_due_and_that_is_said() -> None:
    result = run("next", "--from", "9999-12-31T23:59")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "nothing is due" in result.stderr


def test_the_clock_is_asked_only_where_nobody_says_from_when(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    later: datetime = NOON + timedelta(days=1)
    monkeypatch.setattr(clock, "now", lambda: later)
    assert dues("berlin", "--count", "1") == [("berlin", "2026-01-02T13:30:00Z")]
    assert dues("berlin", "--count", "1", "--from", "2026-01-01") == [
        ("berlin", "2026-01-01T13:30:00Z")
    ]
