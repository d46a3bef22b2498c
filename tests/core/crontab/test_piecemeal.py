"""A crontab that is read job by job says what it says as a whole, or is read as a whole."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cronstream.core.crontab.crontab import Crontab, Recalled
from cronstream.core.crontab.pairs import DEFAULT_LEASE_S
from cronstream.core.crontab.parser import parse_crontab, read_whole
from cronstream.core.crontab.piecemeal import read_piecemeal
from cronstream.errors import CrontabError, Place
from tests.core.crontab.two_ways import Found, piecemeal, read, told, whole

HEAD = "version: 1\nclusters: [a, b]\n"
PLAIN = """\
jobs:
  # The first of all.
  - name: one
    schedule: '0 4 * * *'
    cluster: a
    command: echo 'one' | cat

  - cluster: a
    name: two
    schedule: "H 5 * * *"
    command: echo two
    env:
      # Which one it is.
      NUMBER: "2"
      LONG: two of them
  - name: three
    cluster: a
    schedule: 0 4 * * *
    command: true --really
    description: Grüße
"""


LIKE = "  - name: four\n    cluster: a\n    schedule: 0 4 * * *\n    command: echo four\n"

VALUES = (
    "a",
    "b",
    "c",
    "'0 4 * * *'",
    '"*/5 * * * *"',
    "0 4 * * *",
    "H H * * *",
    "0 0 30 2 *",
    "'@every 90s'",
    "5",
    "1e3",
    "null",
    "true",
    "~",
    "a b",
    "a: b",
    "a #b",
    "a # b",
    "a:",
    "''",
    "' '",
    "'it''s'",
    '"a\\tb"',
    "&x a",
    "*x",
    "!!str 5",
    "|\n      one\n      two",
    ">+\n      one\n\n",
    "'one\n      two'",
    "'one\n  - name: two'",
    "one\n      two",
    "[a, b]",
    "{a: b}",
    "{A: b, C: d}",
    "\n      A: b\n      C: d",
    "\n      A: b\n        C: d",
    "\n    - a\n    - b",
    "ü\u2028ü",
    "a\x07",
    "Europe/Berlin",
    "queue",
    "5m",
    "one",
    "[one, two]",
    "{discarded: n4}",
    "",
)
KEYS = (
    "name",
    "schedule",
    "command",
    "cluster",
    "env",
    "description",
    "timezone",
    "overlap",
    "timeout",
    "max_attempts",
    "exclude",
    "jitter",
    "expect_within",
    "shell",
    "then",
    '"th\\x65n"',
    "descripton",
    "'name'",
)
GOOD = st.builds(
    "name: {}\n    schedule: {}\n    command: {}\n".format,
    st.sampled_from(["one", "'two'", '"three"', "n4", "n5", "6", "n-7"]),
    st.sampled_from(VALUES[3:8]),
    st.sampled_from(VALUES),
)
FOLLOWER = st.builds(
    "name: {}\n    command: echo\n{}".format,
    st.sampled_from(["one", "two", "n4"]),
    st.sampled_from(["", "    then: n4\n", "    cluster: a\n"]),
)
LINES = st.builds("    {}: {}\n".format, st.sampled_from(KEYS), st.sampled_from(VALUES))
ODD = st.sampled_from(
    [
        "\n",
        "    # more\n",
        "# more\n",
        "  # x\n",
        "    cluster: a\n",
        "   cluster: a\n",
        "     cluster: a\n",
        "\tcluster: a\n",
        "  -\n",
        "  -  name: b\n",
        "...\n",
        "---\n",
        "jobs:\n",
        "defaults: {cluster: b}\n",
        "  clusters: a\n",
    ]
)
ENTRY = st.builds(
    "  - {}{}".format,
    GOOD | FOLLOWER | st.just("{name: x, schedule: '0 4 * * *', command: b}\n"),
    st.lists(LINES | ODD | st.just("    cluster: a\n"), max_size=4).map("".join),
)
HEADS = st.sampled_from(
    [
        HEAD,
        HEAD + "defaults: {cluster: a}\n",
        HEAD + "defaults:\n  cluster: a\n  jitter: 10m\n",
        HEAD + "defaults: {cluster: a, description: all, env: {A: x}, exclude: 2026-12-24}\n",
        HEAD + "calendars: {c: [2026-12-25]}\ndefaults: &x {cluster: a}\n",
        HEAD + 'defaults: {cluster: a, description: "\n',
    ]
)
TAILS = st.sampled_from(["", "calendars: {c: [2026-12-25]}\n", '"}\n', "  # end", "end: 1\n"])
BODY = st.lists(ENTRY, min_size=1, max_size=4).map("".join)
TEXTS = st.builds("{}jobs:\n{}{}".format, HEADS, BODY, TAILS)


@settings(deadline=None)
@given(TEXTS)
def test_it_says_what_the_whole_says_or_nothing(text: str) -> None:
    found = piecemeal(text)
    if found is not None:
        assert told(found) == told(whole(text))


@settings(deadline=None)
@given(HEADS, BODY, BODY, BODY)
def test_what_is_read_again_says_what_it_says_when_it_is_new(
    head: str, first: str, second: str, third: str
) -> None:
    found = piecemeal(f"{head}jobs:\n{first}{second}")
    before = found if isinstance(found, Crontab) else None
    text = f"{head}jobs:\n{third}{first}\n{second}"
    assert told(piecemeal(text, before)) == told(piecemeal(text))


@pytest.mark.parametrize(
    "text",
    [
        HEAD + PLAIN,
        HEAD + PLAIN.replace("\n  ", "\n"),
        HEAD + PLAIN + "defaults:\n  description: all\n",
        HEAD + PLAIN + "  - {name: four, schedule: '@daily', cluster: b, command: [a, b]}",
        HEAD + PLAIN + "  - name: four\n    schedule: '@daily'\n    cluster: b\n    command: |\n"
        "      first\n      # second\n",
        "\ufeff" + HEAD + PLAIN,
    ],
)
def test_a_good_crontab_is_read_job_by_job(text: str) -> None:
    found = read(text)
    assert told(found) == told(whole(text))


CHAIN = """\
  - name: load
    schedule: '@daily'
    cluster: a
    command: load
    then: [sum-up, one]
  - name: sum-up
    cluster: a
    command: sum up
    then: {succeeded: publish, discarded: call}
  - name: publish
    cluster: b
    command: publish
  - {name: call, cluster: a, command: 'call; then: wait'}
"""


def test_jobs_that_follow_others_are_read_job_by_job_too() -> None:
    found = read(HEAD + PLAIN + CHAIN)
    assert told(found) == told(whole(HEAD + PLAIN + CHAIN))
    load = found.jobs[3]
    assert load.then is not None
    assert [one.job.name for one in load.then] == ["sum-up", "one"]
    assert [one.job.name for one in load.then[0].job.then or ()] == ["publish", "call"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("command: publish", "command: publish --all"),
        ("command: load", "command: load --all"),
        ("    then: [sum-up, one]\n", "    then: [sum-up]\n"),
        ("echo 'one' | cat", "echo one"),
        (
            "  - name: three",
            "  - {name: four, schedule: '@daily', command: x, cluster: a}\n  - name: three",
        ),
    ],
)
def test_after_an_edit_what_follows_a_job_is_what_the_file_says_now(old: str, new: str) -> None:
    before, text = HEAD + PLAIN + CHAIN, (HEAD + PLAIN + CHAIN).replace(old, new)
    found = read(text, read(before))
    assert told(found) == told(whole(text))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("publish, discarded: call", "publish"),
        ("[sum-up, one]", "[sum-up, other]"),
        ("publish, discarded", "load, discarded"),
        ("call; then: wait'", "call', then: sum-up"),
    ],
)
def test_an_edit_by_which_a_chain_goes_wrong_is_found_though_other_jobs_stay(
    old: str, new: str
) -> None:
    text = (HEAD + PLAIN + CHAIN).replace(old, new)
    assert text != HEAD + PLAIN + CHAIN
    found = piecemeal(text, read(HEAD + PLAIN + CHAIN))
    assert isinstance(found, list)
    assert told(found) == told(whole(text))


def test_what_is_known_of_a_file_with_chains_gives_what_the_file_says() -> None:
    text = HEAD + PLAIN + CHAIN
    jobs = {job.name: job for job in parse_crontab(text).jobs}
    found = piecemeal(text, Recalled(jobs))
    assert isinstance(found, Crontab)
    assert told(found) == told(whole(text))
    assert found.jobs[0] is jobs["one"]


def test_what_follows_all_jobs_by_default_is_left_to_the_whole() -> None:
    text = HEAD + "defaults: {cluster: a, then: {discarded: three}}\n" + PLAIN
    assert piecemeal(text) is None
    assert isinstance(whole(text), Crontab)


def test_it_knows_where_each_name_stands() -> None:
    places = parse_crontab(HEAD + PLAIN).places
    assert places["one"] == Place(5, 11)
    assert places["two"] == Place(11, 11)
    assert list(places) == ["one", "two", "three"]
    assert len(places) == 3


def test_only_what_has_changed_is_read_again() -> None:
    before = read(HEAD + PLAIN)
    after = read(HEAD + "# New.\n" + PLAIN.replace("5 * * *", "6 * * *"), before)
    again = read(HEAD + PLAIN.replace("5 * * *", "6 * * *"), before)
    assert [job is old for job, old in zip(again.jobs, before.jobs, strict=True)] == [
        True,
        False,
        True,
    ]
    assert after.jobs == again.jobs
    assert after.places["three"].line == again.places["three"].line + 1


def test_a_job_that_has_moved_in_the_file_is_not_read_again() -> None:
    one, two, three, four = (LIKE.replace("four", name) for name in ("one", "two", "x3", "x4"))
    before = read(f"{HEAD}jobs:\n{one}{two}{three}{four}")
    after = read(f"{HEAD}jobs:\n{one}{three}{two}{four}", before)
    assert [before.jobs.index(job) for job in after.jobs] == [0, 2, 1, 3]
    assert after.jobs[1] is before.jobs[2]
    assert after.places["two"].line == before.places["x3"].line


def test_all_is_read_again_under_other_defaults_and_with_another_lease() -> None:
    before = read(HEAD + PLAIN)
    after = read(HEAD + "defaults: {grace: 1s}\n" + PLAIN, before)
    assert {job.grace_s for job in after.jobs} == {1.0}
    other = read_piecemeal(HEAD + PLAIN, 9.0, before)
    assert isinstance(other, Crontab)
    assert other.jobs[0] is not before.jobs[0]


def test_what_was_read_as_a_whole_is_no_help() -> None:
    text = HEAD + PLAIN
    before = read_whole(text, "<string>", DEFAULT_LEASE_S)
    assert told(piecemeal(text, before)) == told(before)
    known = read(text)
    assert told(piecemeal(text, replace(known, places={}))) == told(known)


@pytest.mark.parametrize(
    "text",
    [
        "jobs: []\n",
        HEAD + "jobs:\n",
        HEAD + "jobs: [\n]\n",
        HEAD + PLAIN + "jobs:\n",
        HEAD + PLAIN.replace("\n", "\r\n"),
        HEAD + PLAIN + "  -\n    name: four\n",
        HEAD.replace("1", "2") + PLAIN,
        HEAD + PLAIN + "more: 1\n",
        '- "\n' + PLAIN + '"\n',
        HEAD + PLAIN.replace("jobs:\n", "jobs:  # \x07\n"),
        HEAD + PLAIN.replace("echo two", "&x echo two").replace("true --really", "*x"),
        HEAD + "defaults: {grace: &x 5s}\n" + PLAIN + "    timeout: *x\n",
        HEAD + "  -\n    name: four\n    schedule: '@daily'\n    command: x\n    cluster: a\n",
        'version: 1\ndefaults: "\n' + PLAIN + "\"\n'jobs': x\n",
    ],
)
def test_all_else_is_left_to_the_whole(text: str) -> None:
    assert piecemeal(text) is None


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "jobs:\n  - \n    name: x\n    schedule: '@daily'\n    command: x\n    cluster: a\n",
        HEAD + f"jobs:\n{LIKE}  - \n",
        f"{{version: 1, clusters: [a],\njobs:\n{LIKE}}}\n",
        f"!!map {{version: 1, clusters: [a],\njobs:\n{LIKE}}}\n",
        f"%TAG !! tag:foo,2000:\n---\n{HEAD}jobs:\n{LIKE}    timeout: !!str 5\n",
        f"%TAG !y! tag:yaml.org,2002:\n---\n{HEAD}jobs:\n{LIKE}    description: !y!str 5\n",
        f'{HEAD}defaults: {{description: "\njobs:\n{LIKE}"}}\n"jobs": "jobs-are-\\x65lsewhere"\n',
        f"\ufeff\ufeff\ufeff{HEAD}jobs:\n{LIKE}",
        f"\ufeff\ufeff{HEAD}jobs:\n{LIKE.replace('cluster: a', 'cluster: c')}",
        f"{HEAD}jobs:\n{LIKE}{LIKE.replace('name:', 'nmae:').replace('echo', '!x echo')}",
        "# c\r version: 1\rclusters: [a]\rjobs: []\r",
        "# c\u2028[a]\u2028b: 1",
    ],
)
def test_what_looks_odd_is_read_as_the_whole_reads_it(text: str) -> None:
    found = piecemeal(text)
    assert found is None or told(found) == told(whole(text))
    assert told(parsed(text)) == told(whole(text))


def parsed(text: str) -> Found:
    try:
        return parse_crontab(text)
    except CrontabError as error:
        return list(error.problems)


@pytest.mark.parametrize(
    "own",
    [
        "    description: ''\n",
        f"    description: {'x' * 5000}\n",
        "    description: 5\n",
        "    description: echo \u200b x\n",
        "    env:\n      LONG: ''\n",
        "    env:\n      OTHER: three of them\n",
    ],
)
def test_a_job_that_is_like_another_but_for_what_is_unusual_says_what_the_whole_says(
    own: str,
) -> None:
    text = HEAD + PLAIN + LIKE + own
    assert told(piecemeal(text)) in (told(whole(text)), None)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ("name: four", "name: No Name"),
        ("echo four", "' '"),
        ("echo four", "null"),
        ("0 4 * * *", "0 99 * * *"),
        ("cluster: a", "cluster: c"),
    ],
)
def test_what_is_wrong_with_a_job_that_is_like_another_is_found(good: str, bad: str) -> None:
    text = HEAD + PLAIN + LIKE.replace("four", "zero") + LIKE.replace(good, bad)
    found = piecemeal(text)
    assert isinstance(found, list)
    assert told(found) == told(whole(text))


@pytest.mark.parametrize("more", ["x" * 3_800, "x"])
def test_one_that_is_like_another_and_too_large_is_found(more: str) -> None:
    texts = "".join(f"    V{n}: {'x' * 119_000}\n" for n in range(7))
    head = f"{HEAD}defaults:\n  env:\n{texts}    V7: {'x' * 62_000}\njobs:\n"
    text = head + LIKE.replace("four", "zero") + LIKE.replace("echo four", f"echo {more}")
    found = piecemeal(text)
    assert told(found) == told(whole(text))
    assert isinstance(found, list) == (len(more) > 1)


def test_a_job_that_goes_on_beyond_a_dash_is_left_to_the_whole() -> None:
    job = LIKE.replace("echo four", "'one\n  - name: two'")
    assert piecemeal(f"{HEAD}jobs:\n{job}") is None
    assert isinstance(whole(f"{HEAD}jobs:\n{job}"), Crontab)


def test_what_is_cut_within_a_quote_is_no_job_though_the_items_add_up() -> None:
    bare = LIKE.replace("four", "d1") + LIKE.replace("- name: four", "-\n    name: d2")
    quoted = LIKE.replace("echo four", "'one").replace("four", "aa") + LIKE + "  - end'\n"
    assert piecemeal(f"{HEAD}jobs:\n{bare}{quoted}") is None


def test_an_alias_whose_anchor_another_job_has_is_left_to_the_whole_after_an_edit_too() -> None:
    one, two = LIKE.replace("four", "one"), LIKE.replace("four", "two")
    before = read(f"{HEAD}jobs:\n{one.replace('echo', '&x echo')}{two}")
    text = f"{HEAD}jobs:\n{one}{two.replace('echo two', '*x')}"
    assert piecemeal(text, before) is None


def test_jobs_that_are_like_each_other_have_their_own_variables() -> None:
    job = "  - name: {0}\n    cluster: a\n    schedule: '@daily'\n    command: c\n"
    job += "    env: {{N: {0}}}\n"
    text = f"{HEAD}jobs:\n{job.format('one')}{job.format('two')}"
    found = read(text)
    assert [job.env for job in found.jobs] == [{"N": "one"}, {"N": "two"}]
    assert told(found) == told(whole(text))


def test_jobs_that_are_like_each_other_have_the_schedules_that_they_mean() -> None:
    said = ("0 4 * * *", "0 4 * * *", "0 4 ? * *", "H 4 * * *")
    jobs = [LIKE.replace("four", f"n{n}").replace(said[0], text) for n, text in enumerate(said)]
    text = f"{HEAD}jobs:\n{''.join(jobs)}"
    found = read(text)
    assert [job.schedule for job in found.jobs[:3]] == [said[0]] * 3
    assert told(found) == told(whole(text))
