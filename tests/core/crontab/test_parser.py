"""The text of a crontab to its jobs, or to every problem."""

import re
from pathlib import Path

import pytest

from cronstream.core.crontab.clusters import Cluster
from cronstream.core.crontab.parser import MAX_BYTES, Crontab, parse_crontab
from cronstream.core.planning.making import run_of
from cronstream.core.wire.confinement import Confinement
from cronstream.core.wire.enumerations import Background, Delivery, Missed, Overlap
from cronstream.core.wire.runs import Backoff, Job, Ping, RetryOn
from cronstream.errors import CrontabError
from tests.builders import NOON

ROOT = Path(__file__).parents[3]
HEAD = "version: 1\nclusters: {cluster-a: , cluster-b: }\n"


def a_crontab(job: str = "", *, defaults: str = "") -> str:
    """Return a crontab whose only job has some more lines; they begin on line 8 (9)."""
    lines = [HEAD.strip(), *([f"defaults: {defaults}"] if defaults else []), "jobs:"]
    lines += ["  - name: backup", "    cluster: cluster-a", '    schedule: "@hourly"']
    lines += ["    command: pg_dump", *(f"    {line}" for line in job.splitlines())]
    return "\n".join(lines) + "\n"


def the_job(text: str) -> Job:
    [job] = parse_crontab(text).jobs
    return job


def problems(text: str) -> list[str]:
    with pytest.raises(CrontabError) as caught:
        parse_crontab(text, "crontab.yaml")
    assert caught.value.source == "crontab.yaml"
    return list(map(str, caught.value.problems))


# -- sizes ---------------------------------------------------------------------------------------


def an_env(variables: int, size: int) -> str:
    return "env: {" + ", ".join(f"V{n}: {'x' * size}" for n in range(variables)) + "}"


def test_a_job_that_fits_in_no_message_is_told_with_its_size_at_what_is_largest() -> None:
    [problem] = problems(a_crontab(an_env(9, 110_000)))
    assert problem == (
        "line 8, column 10: job 'backup': it takes 990,211 bytes in a message, 990,018 of them for "
        "env, and a job may take 898,000; put what is large in a file, and read that"
    )


def test_a_job_counts_as_large_as_its_message_is() -> None:
    text = a_crontab(
        'description: "' + r"\u0001" * 4000 + '"\nenv: {V: "' + r"\x01" * 130_000 + '"}'
    )
    text = text.replace("command: pg_dump", 'command: "' + r"\x02" * 130_000 + '"')
    [problem] = problems(text)
    assert "it takes 1,584,156 bytes" in problem


def test_what_all_jobs_share_is_told_once_if_it_fits_in_no_message() -> None:
    text = a_crontab(defaults="{" + an_env(9, 110_000) + "}")
    [problem] = problems(
        text + "  - {name: b, cluster: cluster-a, schedule: '@daily', command: x}\n"
    )
    assert problem.startswith("line 3, column 17: defaults: it takes 990,")


def test_large_jobs_that_fit_are_no_problem() -> None:
    assert the_job(a_crontab(an_env(8, 110_000))).env


# -- what is good --------------------------------------------------------------------------------


def test_a_job_needs_name_cluster_schedule_and_command() -> None:
    assert parse_crontab(a_crontab()) == Crontab(
        clusters=(Cluster("cluster-a"), Cluster("cluster-b")),
        jobs=(
            Job(
                name="backup",
                cluster="cluster-a",
                schedule="@hourly",
                timezone="UTC",
                command="pg_dump",
            ),
        ),
    )


def test_every_key_of_a_job_finds_its_field() -> None:
    job = the_job("""
version: 1
clusters: {cluster-a: {description: "first"}}
jobs:
  - name: backup
    cluster: cluster-a
    schedule: "*/5 * * * *"
    timezone: Europe/Berlin
    command: [pg_dump, "-v"]
    max_attempts: 3
    backoff: {first: 5s, factor: 3, ceiling: 10m, jitter: 0.5}
    retry_on: {exit_statuses: [75, 1], timeouts: false}
    timeout: 30m
    grace: 2
    on_stop: drain
    drain: 90s
    overlap: queue
    max_queue: 7
    max_running: 2
    fence: true
    allow_args: true
    allow_env: [MONTH]
    background: wait
    env: {KEY: value, EMPTY: "", TOKEN: {file: /run/secrets/token}, AGENT: {from: SSH_AGENT}}
    cwd: /srv
    user: backup
    umask: "027"
    limits: {cpu: 90.5, memory: 512M, files: 64, file_size: 2048, processes: 9}
    delivery: at_most_once
    missed_grace: 1d
    missed: once
    start_within: 90s
    expect_within: 2h
    on_success: {from: MAIL}
    on_discard: {file: /run/secrets/chat}
    ping: {healthchecks: {file: /run/secrets/hc}, sentry: {from: SENTRY_URL}}
    description: Nightly.
""")
    assert job == Job(
        name="backup",
        cluster="cluster-a",
        schedule="*/5 * * * *",
        timezone="Europe/Berlin",
        command=["pg_dump", "-v"],
        max_attempts=3,
        backoff=Backoff(first_s=5.0, factor=3.0, ceiling_s=600.0, jitter=0.5),
        retry_on=RetryOn(statuses=[1, 75], timeouts=False),
        timeout_s=1800.0,
        grace_s=2.0,
        drain_s=90.0,
        overlap=Overlap.QUEUE,
        max_queue=7,
        max_running=2,
        fence=True,
        allow_args=True,
        allow_env=["MONTH"],
        background=Background.WAIT,
        env={"TZ": "Europe/Berlin", "KEY": "value", "EMPTY": ""},
        secrets={"TOKEN": "file:/run/secrets/token", "AGENT": "from:SSH_AGENT"},
        cwd="/srv",
        confinement=Confinement(
            user="backup",
            umask=0o27,
            cpu_s=91,
            memory_bytes=512 << 20,
            files=64,
            file_bytes=2048,
            processes=9,
        ),
        delivery=Delivery.AT_MOST_ONCE,
        missed_grace_s=86_400.0,
        missed=Missed.ONCE,
        start_within_s=90.0,
        expect_within_s=7200.0,
        on_success="from:MAIL",
        on_discard="file:/run/secrets/chat",
        ping=Ping(healthchecks="file:/run/secrets/hc", sentry="from:SENTRY_URL"),
        description="Nightly.",
    )


def test_what_a_job_leaves_out_comes_from_the_defaults() -> None:
    text = (
        HEAD
        + """
defaults: {cluster: cluster-b, timezone: Asia/Tokyo, max_attempts: 4, backoff: {first: 1s}}
jobs:
  - {name: a, schedule: "@daily", command: x}
  - {name: b, schedule: "@daily", command: x, cluster: cluster-a, timezone: UTC, max_attempts: 1,
     backoff: {factor: 3}}
"""
    )
    first, second = parse_crontab(text).jobs
    assert (first.cluster, first.timezone, first.max_attempts) == ("cluster-b", "Asia/Tokyo", 4)
    assert first.backoff == Backoff(first_s=1.0)
    assert (second.cluster, second.timezone, second.max_attempts) == ("cluster-a", "UTC", 1)
    assert second.backoff == Backoff(factor=3.0), "a job's value takes the default's place whole"


@pytest.mark.parametrize(
    ("defaults", "job", "zone"),
    [
        ("{timezone: Asia/Tokyo}", "", "Asia/Tokyo"),
        ("{timezone: Asia/Tokyo}", "timezone: Europe/Berlin", "Europe/Berlin"),
        ("{timezone: Asia/Tokyo}", "timezone: UTC", "UTC"),
        ("{env: {TZ: Asia/Tokyo}}", "timezone: UTC", "Asia/Tokyo"),
        ("{timezone: Asia/Tokyo}", "env: {TZ: Europe/Rome}", "Europe/Rome"),
        ("{}", "env: {A: b}", None),
        ("{}", "", None),
    ],
)
def test_a_command_is_in_the_zone_of_its_job_if_that_has_one_and_says_no_other(
    defaults: str, job: str, zone: str | None
) -> None:
    assert (the_job(a_crontab(job, defaults=defaults)).env or {}).get("TZ") == zone


def test_a_job_can_do_without_a_limit_that_is_the_default() -> None:
    assert the_job(a_crontab("timeout:", defaults="{timeout: 5m}")).timeout_s is None


def test_all_exit_statuses_are_retried_if_so_said() -> None:
    assert the_job(a_crontab("retry_on: {exit_statuses: all}")).retry_on == RetryOn(statuses=None)


@pytest.mark.parametrize("jobs", ["jobs: []\n", "jobs:\n"])
def test_a_crontab_may_have_no_jobs(jobs: str) -> None:
    assert parse_crontab(HEAD + jobs).jobs == ()


def test_jobs_may_share_values_by_anchors() -> None:
    text = (
        HEAD
        + """
jobs:
  - {name: a, cluster: cluster-a, schedule: "@daily", command: x, backoff: &slow {first: 1h}}
  - {name: b, cluster: cluster-a, schedule: "@daily", command: x, backoff: *slow}
"""
    )
    assert [job.backoff.first_s for job in parse_crontab(text).jobs] == [3600.0, 3600.0]


def test_a_word_that_yaml_1_1_takes_for_a_truth_value_is_text() -> None:
    assert the_job(a_crontab("env: {ANSWER: no}")).env == {"ANSWER": "no"}


# -- what is not ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("max_atempts: 3", "column 5: job 'backup': key 'max_atempts' is not known; did you mean "),
        ("Time_Zone: UTC", "key 'Time_Zone' is not known; did you mean 'timezone'?"),
        ("tz: UTC", "column 5: job 'backup': key 'tz' is not known; did you mean 'timezone'?"),
        ("tint: red", "column 5: job 'backup': key 'tint' is not known; there are cluster,"),
        (
            "overlpa: skip",
            "column 5: job 'backup': key 'overlpa' is not known; did you mean 'overl",
        ),
        (
            "overlap: forbid",
            "column 14: job 'backup': overlap 'forbid' is not known; write 'allow', 'skip'",
        ),
        ("overlap: yes", "overlap 'yes' is not known"),
        ("missed: newest", "missed 'newest' is not known; write 'skip', 'once'"),
        ("max_queue: 0", "column 16: job 'backup': max_queue 0 is too small; at least 1"),
        ("max_queue: 10001", "max_queue 10001 is too large; at most 10000"),
        (
            "max_queue: 3",
            "column 5: job 'backup': max_queue needs 'overlap: queue' beside it; add that",
        ),
        ("max_running: 0\noverlap: skip", "max_running 0 is too small; at least 1"),
        ("max_running: 3\noverlap: replace", "max_running needs 'overlap: skip' or"),
        ("drain: 5s\non_stop: interrupt", "drain is how long to wait, and 'on_stop: interrupt'"),
        ("drain: 0s", "drain '0s' must be longer than 0s"),
        ("max_queue: 3\noverlap: skip", "max_queue needs 'overlap: queue' beside it"),
        ("fence: 1", "column 12: job 'backup': fence 1 must be true or false"),
        (
            "fence: true",
            "column 12: job 'backup': fence true leaves 3s of a lease of 6s for 'grace'",
        ),
        (
            "grace: 3.5\nfence: true",
            "column 12: job 'backup': grace 3.5s is too long for 'fence: true', which leaves 3s of",
        ),
        ("max_attempts: 0", "column 19: job 'backup': max_attempts 0 is too small; at least 1"),
        ("max_attempts: 101", "max_attempts 101 is too large; at most 100"),
        ("max_attempts: 3.0", "max_attempts 3.0 must be a whole number"),
        ("max_attempts: true", "max_attempts true must be a whole number"),
        ('max_attempts: "3"', "max_attempts '3' must be a whole number"),
        ("timeout: 0", "timeout 0 must be longer than 0s"),
        ("timeout: 5 minutes", "job 'backup': timeout '5 minutes' is not a length of time"),
        ("timeout: -1", "timeout -1 is out of range"),
        ("grace: .nan", "grace nan is out of range"),
        ("grace: true", "grace true is not a length of time"),
        ("grace:", "column 5: job 'backup': grace is empty; give it a value, or leave it out"),
        (
            "timezone: Europe/Berln",
            "column 15: job 'backup': time zone 'Europe/Berln' is not known",
        ),
        ("timezone:", "timezone is empty; give it a value"),
        ("env: {KEY: 12}", "column 16: job 'backup': env.KEY 12 is a number, and a variable must"),
        (
            "env: {KEY: true}",
            "env.KEY true is a truth value, and a variable must be text; quote it",
        ),
        ("env: {KEY: }", "env.KEY is empty; give it a value"),
        ("env: {KEY: [a]}", "env.KEY is a list, and a variable must be text"),
        ('env: {"A=B": c}', "env has 'A=B', which is not a name for a variable; rename it"),
        ('env: {"": c}', "env has '', which is not a name for a variable"),
        ("env: [A]", "env must be a mapping"),
        (f'env: {{KEY: "{"x" * 131_072}"}}', "is longer than 128 KiB; put it in a file"),
        ("cwd: srv", "cwd 'srv' is not absolute; begin it with '/'"),
        (
            "delivery: maybe",
            "delivery 'maybe' is not known; write 'at_least_once' or 'at_most_once'",
        ),
        (
            "backoff: {frist: 1s}",
            "column 15: job 'backup': key 'backoff.frist' is not known; did you",
        ),
        (
            "backoff: {first: 2h}",
            "backoff begins with 2h, above its ceiling of 1h; raise the ceiling",
        ),
        ("backoff: {factor: 0.5}", "backoff.factor 0.5 is too small; at least 1"),
        ("backoff: {jitter: 2}", "backoff.jitter 2 is too large; at most 1"),
        ("backoff: {factor: .nan}", "backoff.factor nan"),
        (
            "ping: {healthchecks: 'https://hc-ping.com/1'}",
            "is not where an address is, and an address is a secret: put it in a file",
        ),
        ("backoff: 5s", "backoff '5s' must be a mapping of keys and values"),
        (
            "retry_on: {exit_statuses: [0]}",
            "retry_on.exit_statuses must be all, or a list of numbers",
        ),
        ("retry_on: {exit_statuses: [256]}", "must be all, or a list of numbers from 1 to 255"),
        ("retry_on: {exit_statuses: 1}", "retry_on.exit_statuses 1 must be all, or a list"),
        ("retry_on: {timeouts: 1}", "retry_on.timeouts 1 must be true or false"),
        ("description: [a]", "description must be text"),
        ("name: other", "column 5: key 'name' appears twice, first on line 4; remove one"),
        ('env: {KEY: "a\\0b"}', "a NUL or half a character is in it; remove it"),
    ],
)
def test_a_wrong_setting_is_told_with_line_column_job_and_remedy(line: str, problem: str) -> None:
    [found] = problems(a_crontab(line))
    assert found.startswith("line 8, column ")
    assert problem in found


def test_a_variables_name_and_the_value_of_another_are_found_wrong_at_once() -> None:
    name, value = problems(a_crontab('env: {"A=B": c, D: 1}'))
    assert name.endswith("env has 'A=B', which is not a name for a variable; rename it")
    assert name.startswith("line 8, column 11")
    assert "env.D 1 is a number" in value


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ('""', "command '' is empty; write what is to be run"),
        ('" "', "is empty"),
        ("[]", "command is empty"),
        ('["", a]', "command is empty"),
        ("[sleep, 5]", "must be text for /bin/sh, or a list of strings; quote its numbers"),
        ("5", "command 5 must be text"),
        ("", "command is empty; give it a value"),
        ("{a: b}", "command must be text for /bin/sh, or a list of strings; put it in quotes"),
        ("[ -f x ]", "command is a list without a program; put a command for the shell"),
        (f'"{"x" * 131_072}"', "is longer than 128 KiB"),
    ],
)
def test_a_wrong_command_is_told_where_it_stands(command: str, problem: str) -> None:
    [found] = problems(a_crontab().replace("command: pg_dump", f"command: {command}"))
    assert found.startswith("line 7, column ")
    assert problem in found


@pytest.mark.parametrize(
    "name", ["", "a b", "a@b", "a!b", "a/b", "a#b", "-a", ".a", "ä", "a" * 129]
)
def test_a_jobs_name_has_only_what_run_ids_and_addresses_can_carry(name: str) -> None:
    [found] = problems(a_crontab().replace("name: backup", f'name: "{name}"'))
    assert found.startswith("line 4, column 11: ")
    assert "is not a name for a job; use letters, digits" in found


def test_h_is_a_number_that_the_name_picks_in_what_is_published() -> None:
    assert the_job(a_crontab().replace("@hourly", "H H ? * *")).schedule == "52 16 * * *"


def test_h_is_refused_where_its_field_has_no_such_range() -> None:
    [problem] = problems(a_crontab().replace("@hourly", "H(0-70) * * * *"))
    assert problem == (
        "line 6, column 15: job 'backup': schedule 'H(0-70) * * * *': minute 'H(0-70)' is out of "
        "range; it goes from 0 to 59"
    )


def test_a_schedule_is_refused_with_the_reason() -> None:
    [found] = problems(a_crontab().replace("@hourly", "61 * * * *"))
    assert found == (
        "line 6, column 15: job 'backup': schedule '61 * * * *': minute '61' is out of range; "
        "it goes from 0 to 59"
    )


def test_every_problem_is_told_at_once_in_the_order_of_the_file() -> None:
    found = problems("""\
version: 1.0
clusters:
  Jobs:
  cluster-a: {descripton: x}
defaults: {timezone: Mars/Base, cluster: cluster-z, max_atempts: 1}
jobs:
  - name: a
    schedule: "* *"
    cluster: cluster-x
    command: ""
    timezone: Foo
  - name: a
    cluster: cluster-a
    schedule: "@hourly"
    command: x
    max_attempts: 3.5
  - just text
  - 5
color: blue
""")
    assert [re.sub(r": .*", "", problem) for problem in found] == [
        "line 1, column 10",
        "line 3, column 3",
        "line 4, column 15",
        "line 5, column 22",
        "line 5, column 42",
        "line 5, column 53",
        "line 8, column 15",
        "line 9, column 14",
        "line 10, column 14",
        "line 11, column 15",
        "line 12, column 11",
        "line 16, column 19",
        "line 17, column 5",
        "line 18, column 5",
        "line 19, column 1",
    ]


def test_an_unknown_cluster_is_told_with_those_there_are() -> None:
    [found] = problems(a_crontab().replace("cluster: cluster-a", "cluster: cluster-c"))
    assert "cluster 'cluster-c' is not known; 'clusters' names cluster-a, cluster-b" in found


def test_a_job_without_a_cluster_is_told_to_choose_one() -> None:
    [found] = problems(a_crontab().replace("    cluster: cluster-a\n", ""))
    assert found == (
        "line 4, column 5: job 'backup': 'cluster' is missing; choose one of cluster-a, cluster-b"
    )


def test_what_a_job_is_missing_is_told_at_the_job() -> None:
    found = problems(HEAD + "jobs:\n  - cluster: cluster-a\n")
    assert found == [
        "line 4, column 5: job number 1: 'command' is missing; add it",
        "line 4, column 5: job number 1: 'name' is missing; add it",
        "line 4, column 5: job number 1: 'schedule' is missing; add it",
    ]


def test_a_name_that_is_there_twice_is_told_with_where_it_was_first() -> None:
    job = "  - {name: a, cluster: cluster-a, schedule: '@daily', command: x}\n"
    [found] = problems(HEAD + "jobs:\n" + job + job)
    assert found == (
        "line 5, column 12: job 'a': the name appears twice, first on line 4; rename one"
    )


def test_a_name_that_is_there_twice_on_one_line_is_told_too() -> None:
    job = "{name: a, cluster: cluster-a, schedule: '@daily', command: x}"
    [found] = problems(HEAD + f"jobs: [{job}, {job}]\n")
    assert "the name appears twice, first on line 3" in found


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "line 1, column 1: the crontab is empty; begin it with 'version: 1'"),
        ("# soon\n", "the crontab is empty"),
        ("- a\n", "line 1, column 1: the crontab must be a mapping; begin it with 'version: 1'"),
        ("text", "the crontab must be a mapping"),
        ("clusters: {a: }\njobs: []\n", "line 1, column 1: 'version' is missing; begin with"),
        ('version: "1"\nclusters: {a: }\njobs: []\n', "version '1' is not supported; write"),
        ("version: 1.0\nclusters: {a: }\njobs: []\n", "version 1.0 is not supported"),
        ("version: true\nclusters: {a: }\njobs: []\n", "version True is not supported"),
        ("version: 1\njobs: []\n", "'clusters' is missing; name one, as 'clusters: ["),
        ("version: 1\nclusters: a\njobs: []\n", "'clusters' must be a list or a mapping of names"),
        ("version: 1\nclusters: []\njobs: []\n", "'clusters' must be a list or a mapping"),
        ("version: 1\nclusters:\njobs: []\n", "'clusters' must be a list or a mapping"),
        ("version: 1\nclusters: [1]\njobs: []\n", "cluster 1 must be text; write '- cluster-a'"),
        ("version: 1\nclusters: [{a: }]\njobs: []\n", "column 12: not a name; write '- cluster-a'"),
        ("version: 1\nclusters: [A]\njobs: []\n", "cluster name 'A' must be lower-case"),
        ("version: 1\nclusters: [a, a]\njobs: []\n", "cluster 'a' appears twice, first on line"),
        ("version: 2\nservices: []\n", "line 1, column 10: version 2 is not supported; write"),
        ("version: 1\nclusters: {a: b}\njobs: []\n", "cluster 'a': 'b' must be a mapping of keys"),
        ("version: 1\nclusters: {a: {x: 1}}\njobs: []\n", "cluster 'a': key 'x' is not known"),
        (HEAD, "'jobs' is missing; add 'jobs: []' if there are none"),
        (HEAD + "jobs: {a: {}}\n", "'jobs' must be a list; begin each job with '- name: …'"),
        (HEAD + "jobs: []\ndefaults: [a]\n", "defaults: must be a mapping of keys and values"),
        (HEAD + "jobs: []\ndefaults: {name: a}\n", "defaults: 'name' is each job's own; write"),
        (HEAD + "jobs: []\njob: []\n", "line 4, column 1: key 'job' is not known; did you mean"),
        (HEAD + "jobs: []\n---\na: b\n", "line 4, column 1: a second document begins"),
        (" version: 1\nclusters: [a]\njobs: []\n", "line 1, column 2: this line is indented"),
        (HEAD + "jobs: [\n", "the text ends within a list or mapping"),
        ("x" * (MAX_BYTES + 1), "the file is larger than 64 MiB; shorten it"),
    ],
)
def test_what_is_no_crontab_is_refused_with_what_to_do(text: str, problem: str) -> None:
    [found] = problems(text)
    assert found.startswith("line ")
    assert problem in found


def test_a_key_of_the_defaults_that_is_wrong_is_told_once_and_not_for_each_job() -> None:
    [found] = problems(a_crontab(defaults="{timeout: never}"))
    assert found.startswith("line 3, column 21: defaults: timeout 'never' is not a length of time")


def test_what_other_schedulers_call_it_is_one_problem() -> None:
    job = "  - {name: x, cluster: cluster-a, when: '@daily', cmd: x}\n"
    assert [text.partition(": ")[2] for text in problems(HEAD + "jobs:\n" + job)] == [
        "job 'x': key 'when' is not known; did you mean 'schedule'?",
        "job 'x': key 'cmd' is not known; did you mean 'command'?",
    ]


@pytest.mark.parametrize(("defaults", "line", "problem"), [
    ("{overlap: queue}", "max_queue: 3", None),
    ("{overlap: queue, max_queue: 3}", "overlap: skip", None),
    ("{overlap: queue}", "overlap: allow\nmax_queue: 3", "job 'backup': max_queue needs"),
    ("{max_queue: 3}", "overlap: queue", "column 12: defaults: max_queue needs"),
    ("{fence: true, grace: 1s}", "", None),
    ("{fence: true}", "", "column 19: defaults: fence true leaves 3s"),
    ("{grace: 1s}", "fence: true", None),
    ("{fence: true, grace: 1s}", "grace: 4s", "job 'backup': grace 4s is too long"),
    ("{fence: true, grace: 1s}", "fence: false\ngrace: 1h", None),
    ("{overlap: queue, timeout: never}", "max_queue: 3", "defaults: timeout"),
])  # fmt: skip
def test_what_a_job_says_has_to_go_with_its_defaults(
    defaults: str, line: str, problem: str | None
) -> None:
    text = a_crontab(line, defaults=defaults)
    if problem is None:
        assert the_job(text).name == "backup"
    else:
        [found] = problems(text)
        assert problem in found


def test_how_long_a_fenced_jobs_grace_may_be_follows_from_the_lease() -> None:
    text = a_crontab("fence: true\ngrace: 5s")
    assert parse_crontab(text, lease_s=8.0).jobs[0].fence
    with pytest.raises(CrontabError, match="which leaves 4s of a lease of 7s; shorten it"):
        parse_crontab(text, lease_s=7.0)
    with pytest.raises(CrontabError, match="needs more than a lease of 2s; raise CRONSTREAM_LEASE"):
        parse_crontab(text, lease_s=2.0)


# -- one mistake, one line -----------------------------------------------------------------------


def test_clusters_may_be_a_list_of_names() -> None:
    text = a_crontab().replace("{cluster-a: , cluster-b: }", "[cluster-a, cluster-b]")
    assert parse_crontab(text) == parse_crontab(a_crontab())


ONE_MISTAKE = [
    ("clusters: [a]", "clusters: a", "line 2, column 11: 'clusters' must be a list or a mapping"),
    ("clusters: [a]", "clusters: [a, 5]", "line 2, column 15: cluster 5 must be text; write"),
    ("clusters: [a]", "clusterz: [a]", "line 2, column 1: key 'clusterz' is not known; did you"),
    ("clusters: [a]", "clusters: [a, A-1]", "cluster name 'A-1' must be lower-case letters"),
    ("clusters: [a]", "clusters: [z]", "defaults: cluster 'a' is not known, as in 2 other places;"),
    ("clusters: [a]", "clusters: {z: }\nclusters: {a: }", "key 'clusters' appears twice, first"),
    ("{cluster: a}", "text", "line 3, column 11: defaults: 'text' must be a mapping of keys and"),
    ("{cluster: a}", "{clusterr: a}", "defaults: key 'clusterr' is not known; did you mean"),
    ("defaults: ", "default: ", "line 3, column 1: key 'default' is not known; did you mean"),
    ("{cluster: a}", "{cluster: b}", "line 3, column 21: defaults: cluster 'b' is not known"),
    (
        "{cluster: a}",
        "{}",
        "line 5, column 5: job 'one': 'cluster' is missing, as in 2 other places",
    ),
    ("{cluster: a}", "{cluster: a, timezone: Mars}", "time zone 'Mars' is not known"),
    ("{cluster: a}", "{cluster: a, schedule: x}", "defaults: 'schedule' is each job's own; write"),
    ("schedule: '@hourly'", "schedulee: '@hourly'", "job 'two': key 'schedulee' is not known; did"),
    ("schedule: '@hourly'", "schedule: ", "job 'two': schedule is empty; give it a value"),
    ("schedule: '@hourly'", "schedule: \u201c@hourly\u201d", "\u201c is not a quote to YAML"),
    ("name: two", "namee: two", "line 6, column 6: job 'two': key 'namee' is not known; did you"),
    ("backoff: ", "bacoff: ", "line 6, column 38: job 'two': key 'bacoff' is not known; did you"),
    ("cluster: a, name: three", "cluster: b, name: three", "cluster 'b' is not known; 'clusters'"),
]


@pytest.mark.parametrize(("right", "wrong", "problem"), ONE_MISTAKE)
def test_one_mistake_is_one_line(right: str, wrong: str, problem: str) -> None:
    text = (
        "version: 1\nclusters: [a]\ndefaults: {cluster: a}\njobs:\n"
        "  - {name: one, schedule: '@daily', command: c}\n"
        "  - {name: two, schedule: '@hourly', backoff: {first: 1s}, command: c}\n"
        "  - {cluster: a, name: three, schedule: '@daily', command: c}\n"
        "  - {cluster: a, name: four, schedule: '@daily', command: c}\n"
    )
    assert len(parse_crontab(text).jobs) == 4
    if wrong == "{}":
        text = text.replace("cluster: a, name", "name", 1)
    assert right in text
    [found] = problems(text.replace(right, wrong))
    assert problem in found


def test_jobs_are_not_told_to_choose_a_cluster_where_none_could_be_read() -> None:
    [found] = problems("version: 1\nclusters: x\njobs: [{name: a, schedule: '@daily', command: b}]")
    assert "'clusters' must be" in found


def test_a_fault_that_jobs_share_by_an_alias_is_told_once() -> None:
    [found] = problems(
        HEAD
        + """
jobs:
  - {name: a, cluster: cluster-a, schedule: "@daily", command: x, backoff: &slow {frist: 1h}}
  - {name: b, cluster: cluster-a, schedule: "@daily", command: x, backoff: *slow}
"""
    )
    assert "job 'a': key 'backoff.frist' is not known" in found


def test_what_stands_under_a_mistyped_key_is_checked_all_the_same() -> None:
    key, value = problems(a_crontab("max_atempts: 0"))
    assert "key 'max_atempts' is not known; did you mean 'max_attempts'?" in key
    assert "max_attempts 0 is too small" in value


# -- what we ship --------------------------------------------------------------------------------


def yaml_blocks() -> list[str]:
    text = (ROOT / "docs" / "crontab.md").read_text(encoding="utf-8")
    return re.findall(r"^```yaml\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def test_the_documentation_has_examples() -> None:
    assert len(yaml_blocks()) >= 5


@pytest.mark.parametrize("example", yaml_blocks())
def test_each_example_in_the_documentation_is_a_good_crontab(example: str) -> None:
    found = parse_crontab(example)
    assert found.jobs or found.include


def test_the_crontab_at_the_top_shows_what_may_become_of_a_run() -> None:
    crontab = parse_crontab((ROOT / "crontab.yaml").read_text(encoding="utf-8"))
    assert [cluster.name for cluster in crontab.clusters] == ["cluster-a", "cluster-b"]
    assert {job.cluster for job in crontab.jobs} == {"cluster-a", "cluster-b"}
    doomed = next(job for job in crontab.jobs if job.name == "doomed")
    assert (doomed.max_attempts, doomed.backoff.first_s) == (3, 2.0)


@pytest.mark.parametrize(
    ("defaults", "own", "drain_s"),
    [
        ("", "on_stop: interrupt", 0.0),
        ("{drain: 5s}", "on_stop: interrupt", 0.0),
        ("{on_stop: interrupt}", "on_stop: drain", None),
        ("{drain: 5s}", "on_stop: drain", 5.0),
        ("{drain: 5s}", "drain: 1h", 3600.0),
        ("{drain: 5s}", "drain:", None),
    ],
)
def test_a_job_says_for_how_long_its_commands_may_go_on_when_their_worker_stops(
    defaults: str, own: str, drain_s: float | None
) -> None:
    job = the_job(a_crontab(own, defaults=defaults))

    assert job.drain_s == drain_s
    assert run_of(job, 1, NOON).drain_s == drain_s
