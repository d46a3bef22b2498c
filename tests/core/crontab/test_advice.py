"""What a crontab is advised of."""

import pytest

from cronstream.core.crontab.advice import Advice, advise
from cronstream.core.crontab.parser import parse_crontab
from cronstream.errors import Place

HEAD = "version: 1\nclusters: {a: }\n"


def advice(text: str) -> list[Advice]:
    return advise(parse_crontab(HEAD + text))


def a_job(name: str, more: str = "") -> str:
    return f"  - {{name: {name}, cluster: a, schedule: '@daily', command: x{more}}}\n"


def test_jobs_without_a_timeout_are_told_once_at_the_first_of_them() -> None:
    jobs = a_job("quick", ", timeout: 5s") + "".join(a_job(f"job-{n}") for n in range(5))
    [piece] = advice(f"jobs:\n{jobs}")
    assert (piece.kind, piece.place, len(piece.jobs)) == ("timeout", Place(5, 12), 5)
    assert piece.sentence.startswith("5 jobs (job-0, job-1, job-2 and 2 more) have no timeout: ")
    assert "defaults: {timeout: 1h}" in piece.sentence


def test_a_few_jobs_and_a_single_one_are_all_named() -> None:
    [two] = advice("jobs:\n" + a_job("one") + a_job("two"))
    [one] = advice("jobs:\n" + a_job("one"))
    assert two.sentence.startswith("2 jobs (one, two) have no timeout")
    assert one.sentence.startswith("job 'one' has no timeout")


def test_a_timeout_for_all_jobs_needs_no_advice_unless_a_job_does_without_it() -> None:
    default = "defaults: {timeout: 1h}\n"
    assert advice(f"{default}jobs:\n" + a_job("one")) == []
    [piece] = advice(f"{default}jobs:\n" + a_job("one") + a_job("two", ", timeout: "))
    assert piece.jobs == ("two",)


def test_nothing_is_advised_of_a_crontab_without_jobs() -> None:
    assert advice("jobs: []\n") == []


def of_schedule(schedule: str) -> list[Advice]:
    job = f"  - {{name: it, cluster: a, schedule: '{schedule}', command: x, timeout: 1h}}\n"
    return advice(f"jobs:\n{job}")


@pytest.mark.parametrize(
    ("schedule", "kind", "said"),
    [
        ("0 9 1-7 * mon", "either-day", "is due on days 1-7 of the month and on mon besides"),
        ("0 0 9 1 * 1", "either-day", "is due on day 1 of the month and on 1 besides"),
        ("* 0 3 * * *", "each-second", "Write '0 3 * * *', or '0 0 3 * * *', for once in each"),
        ("* * * * * *", "each-second", "is due in every second of the minutes that it names"),
        ("*/45 * * * *", "uneven-steps", "steps of 45 begin again with each hour, so the last"),
        ("0 */7 * * *", "uneven-steps", "for even spans write '@every 7h'"),
        ("*/7 * * * * *", "uneven-steps", "for even spans write '@every 7s'"),
    ],
)
def test_a_schedule_that_may_not_be_what_was_meant_is_told(
    schedule: str, kind: str, said: str
) -> None:
    [piece] = of_schedule(schedule)
    assert (piece.kind, piece.jobs) == (kind, ("it",))
    assert piece.sentence.startswith(f"job 'it', schedule '{schedule}'")
    assert said in piece.sentence


@pytest.mark.parametrize(
    "schedule",
    ["@daily", "@every 45m", "*/15 * * * *", "0 */6 * * *", "0 9 1-7 * *", "0 9 * * mon",
     "0 9 */2 * mon", "0 9 1 * */2", "0 * * * * *", "*/10 * * * * *", "10-50/7 * * * *"],
)  # fmt: skip
def test_an_ordinary_schedule_needs_no_advice(schedule: str) -> None:
    assert of_schedule(schedule) == []


def of_env(env: str) -> list[Advice]:
    job = f"  - {{name: it, cluster: a, schedule: '@daily', command: x, timeout: 1h, env: {env}}}\n"
    return advice(f"jobs:\n{job}")


@pytest.mark.parametrize("name", ["PGPASSWORD", "API_TOKEN", "token", "AWS_SECRET_ACCESS_KEY"])
def test_what_looks_like_a_secret_in_the_file_is_told_without_its_value(name: str) -> None:
    [piece] = of_env(f"{{{name}: canary}}")
    assert (piece.kind, piece.jobs) == ("plain-secret", ("it",))
    assert (
        f"job 'it' has what looks like a secret in env ({name}): it is on Kafka" in piece.sentence
    )
    assert "canary" not in piece.sentence


@pytest.mark.parametrize(
    "env",
    ["{PWD: /srv}", "{TOKEN: ''}", "{PASSWORD_FILE: /x}", "{TOKENS: '3'}", "{TOKEN: {from: T}}"],
)
def test_what_is_no_secret_or_is_only_named_needs_no_advice(env: str) -> None:
    assert of_env(env) == []


@pytest.mark.parametrize(
    ("schedule", "is_idle"),
    [("'@every 30m'", True), ("'@every 1d from 09:00'", False), ("['@every 1h', '@daily']", False)],
)
def test_what_counts_real_time_needs_no_word_on_changes_of_the_clocks(
    schedule: str, is_idle: bool
) -> None:
    job = f"name: it, cluster: a, schedule: {schedule}, command: x, timeout: 1h, dst: skip"
    kinds = [piece.kind for piece in advice(f"jobs:\n  - {{{job}}}\n")]
    assert kinds == (["dst"] if is_idle else [])
