"""A mistake in one of many jobs is found, and said, without reading all others again."""

import pytest

from cronstream.core.crontab import piecemeal as piecemeal_module
from cronstream.core.crontab.parser import read_whole
from cronstream.core.crontab.piecemeal import read_piecemeal
from cronstream.core.crontab.problems import Problems
from cronstream.core.crontab.reader import Reader
from cronstream.core.crontab.yaml_nodes import Node
from cronstream.core.crontab.yaml_tree import AliasError, parse_yaml
from cronstream.core.wire.runs import Job
from cronstream.errors import CrontabError
from tests.core.crontab.two_ways import piecemeal, read, told, whole

HEAD = "version: 1\nclusters: [a]\ndefaults: {cluster: a}\njobs:\n"
JOB = "  - name: n{}\n    schedule: '@daily'\n    command: echo {}\n"
GOOD = HEAD + "".join(JOB.format(n, n) for n in range(50))
MISTAKES = {
    "a schedule": ("n30\n    schedule: '@daily'", "n30\n    schedule: '99 * * * *'"),
    "a key": ("echo 30\n", "echo 30\n    descripton: x\n"),
    "a key twice": ("echo 30\n", "echo 30\n    command: x\n"),
    "a name twice": ("name: n30\n", "name: n10\n"),
    "no name": ("name: n30\n", "description: x\n"),
    "a cluster": ("echo 30\n", "echo 30\n    cluster: c\n"),
    "who follows": ("echo 30\n", "echo 30\n    then: n333\n"),
    "a circle": ("echo 30\n", "echo 30\n    then: n30\n"),
    "a quote": ("echo 30\n", "'echo 30\n"),
    "a colon": ("echo 30\n", "echo a: b\n"),
    "a bracket": ("echo 30\n", "[echo 30\n"),
    "a column": ("    command: echo 30\n", "   command: echo 30\n"),
    "a character": ("echo 30\n", "echo \x07\n"),
}


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Which jobs were read in full, by their places in the list."""
    found: list[int] = []
    read_job = Reader.read_job

    def noted(self: Reader, node: Node, number: int) -> Job | None:
        found.append(number)
        return read_job(self, node, number)

    monkeypatch.setattr(Reader, "read_job", noted)
    return found


@pytest.mark.parametrize("is_edit", [True, False])
@pytest.mark.parametrize(("old", "new"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_one_job_is_said_as_the_whole_says_it_and_no_good_job_is_read_again(
    old: str, new: str, numbers: list[int], *, is_edit: bool
) -> None:
    before, text = read(GOOD) if is_edit else None, GOOD.replace(old, new)
    assert text != GOOD
    numbers.clear()
    found = piecemeal(text, before)
    assert set(numbers) <= ({11, 31} if is_edit else {1, 11, 31})
    assert isinstance(found, list)
    assert told(found) == told(whole(text))


@pytest.mark.parametrize("quoted", [3, 30])
def test_keys_that_are_twice_are_said_beside_a_quote_that_is_not_closed(quoted: int) -> None:
    text = GOOD.replace(f"echo {quoted}\n", f"'echo {quoted}\n")
    for number in (4, 20, 40):
        text = text.replace(f"echo {number}\n", f"echo {number}\n    command: x\n")
    found = piecemeal(text)
    assert isinstance(found, list)
    assert told(found) == told(whole(text))


@pytest.mark.parametrize("lease_s", [6.0, 60.0])
def test_what_a_lease_leaves_is_held_against_the_very_lease(lease_s: float) -> None:
    text = GOOD.replace("echo 30\n", "echo 30\n    fence: true\n    grace: 5s\n    cluster: c\n")
    found = read_piecemeal(text, lease_s)
    assert isinstance(found, Problems)
    with pytest.raises(CrontabError) as caught:
        read_whole(text, "<string>", lease_s)
    assert found.in_order() == list(caught.value.problems)
    assert len(found.in_order()) == (2 if lease_s == 6.0 else 1)


def test_of_very_many_names_that_no_job_has_only_some_have_a_likely_meaning() -> None:
    text = GOOD.replace("    command:", "    then: n0x{}\n    command:")
    for number in range(50):
        text = text.replace("n0x{}", f"n0x{number}", 1)
    found = piecemeal(text)
    assert isinstance(found, list)
    assert len(found) == 50
    assert sum("did you mean" in str(problem) for problem in found) == 20


def test_with_very_many_mistakes_the_whole_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(piecemeal_module, "_MOST_UNSURE", 3)
    some, many = (GOOD.replace("echo 1", "' ' #", n) for n in (3, 4))
    assert told(piecemeal(some)) == told(whole(some))
    assert piecemeal(many) is None


def test_what_an_alias_stands_for_is_not_guessed() -> None:
    text = GOOD.replace("echo 7\n", "&x echo 7\n").replace("echo 30\n", "*x\n    cluster: c\n")
    assert piecemeal(text) is None
    assert piecemeal(text.replace("echo 40", "'echo 40")) is None
    with pytest.raises(AliasError):
        parse_yaml("- *x\n", Problems(), is_part=True)
