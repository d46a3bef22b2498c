"""Crontabs with chains, most of them good, read job by job after one edit after another."""

import random
from dataclasses import replace

import pytest

from cronstream.core.crontab.crontab import Crontab, Recalled
from cronstream.core.crontab.root import Root
from tests.builders import NOON
from tests.core.crontab.two_ways import piecemeal, told, whole

_HEAD = "version: 1\nclusters: [a, b]\ndefaults: {cluster: a}\n"
_NAMES = ("one", "two", "n3", "n4", "n5", "n-6")
_THEN = (
    "then: {0}",
    "then: [{0}, {1}]",
    "then: {{succeeded: {0}, discarded: {1}}}",
    "then : {0}",
    "'then': {0}",
    '"th\\x65n": {0}',
    "then:\n      - {0}",
    "? then\n    : {0}",
    "then: # {1}\n      {0}",
    "then: []",
)
_OTHERS = (
    "cluster: b",
    "env: {A: x}",
    "description: 'then: x'",
    "jitter: 10m",
    "timezone: Europe/Berlin",
    "expect_within: 2h",
)
_MISTAKES = (
    "schedule: '99 * * * *'",
    "cluster: c",
    "descripton: x",
    "max_attempts: none",
    "command: again",
    "timezone: Europe/Atlantis",
    "jitter: 2d",
    "then: {never: one}",
    "then: [two, two]",
    "then: tow",
    "name: one",
    "'name': n7",
    "env: {A: [b]}",
    "on_stop: *x",
    "user: 'x",
    "umask: !!int 5",
)
_SCHEDULES = ("schedule: '@daily'", "schedule: 'H 5 * * *'", "schedule: '@never'", None)
_COMMANDS = ("echo", "'x; then: y'", "|\n      a\n      then: b", "[a, b]", "echo then")


class Writer:
    """Writes crontabs, and edits them."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)

    def job(self) -> str:
        chance = self.chance
        lines = [f"name: {chance.choice(_NAMES)}", f"command: {chance.choice(_COMMANDS)}"]
        if schedule := chance.choice(_SCHEDULES):
            lines.insert(1, schedule)
        if chance.random() < 0.5:
            lines.append(chance.choice(_THEN).format(*chance.sample(_NAMES, 2)))
        if chance.random() < 0.4:
            lines.append(chance.choice(_OTHERS))
        if chance.random() < 0.05:
            lines.insert(chance.randrange(len(lines)), chance.choice(_MISTAKES))
        if chance.random() < 0.02:
            del lines[0]
        return "  - " + "\n    ".join(lines) + "\n"

    def complete(self, jobs: list[str]) -> list[str]:
        """Take out who is there twice, and mostly add who is named and lacks."""
        by_name = {next((n for n in _NAMES if f"name: {n}\n" in job), job): job for job in jobs}
        text = "".join(by_name.values())
        for name in _NAMES:
            if name not in by_name and name in text and self.chance.random() < 0.9:
                schedule = self.chance.choice(("    schedule: '@daily'\n", ""))
                by_name[name] = f"  - name: {name}\n{schedule}    command: x\n"
        return list(by_name.values())

    def edited(self, jobs: list[str]) -> list[str]:
        jobs, chance = list(jobs), self.chance
        place = chance.randrange(len(jobs))
        match chance.randrange(5):
            case 0:
                jobs[place] = self.job()
            case 1:
                del jobs[place]
            case 2:
                jobs.insert(place, self.job())
            case 3:
                chance.shuffle(jobs)
                if chance.random() < 0.1:
                    return [*jobs, jobs[0]]
            case _:
                jobs[place] = jobs[place].replace("    schedule: '@daily'\n", "")
        return self.complete(jobs) or [self.job()]


def published(crontab: Crontab) -> Crontab:
    """Return a crontab as it is once its jobs are in force: they are those that were published."""
    jobs = tuple(job.derive(effective_from=NOON, by="me", file="x", line=3) for job in crontab.jobs)
    return replace(crontab, jobs=jobs)


@pytest.mark.parametrize("seed", range(80))
def test_after_one_edit_after_another_it_says_what_the_whole_says_or_nothing(seed: int) -> None:
    writer = Writer(seed)
    root = Root.of(f"{_HEAD}include: x.yaml\n") if seed % 3 == 0 else None
    jobs, before = writer.complete([writer.job() for _ in range(4)]), None
    for _ in range(8):
        text = f"{'' if root else _HEAD}jobs:\n{''.join(jobs)}"
        found = piecemeal(text, before, root)
        if isinstance(found, Crontab):
            assert told(as_in_file(found)) == told(whole(text, root))
            in_force = Recalled({job.name: job for job in published(found).jobs})
            recalled = piecemeal(text, in_force, root)
            assert isinstance(recalled, Crontab)
            assert told(as_in_file(recalled)) == told(whole(text, root))
            before = published(found)
        elif found is not None:
            assert told(found) == told(whole(text, root))
        jobs = writer.edited(jobs)


def as_in_file(crontab: Crontab) -> Crontab:
    """Return a crontab without what says how its jobs were published."""
    jobs = [job.derive(effective_from=None, by=None, file=None, line=None) for job in crontab.jobs]
    return replace(crontab, jobs=tuple(jobs))


def test_most_of_what_is_tried_here_is_read_job_by_job_and_has_chains() -> None:
    good = wrong = chains = 0
    for seed in range(80):
        writer = Writer(seed)
        jobs = writer.complete([writer.job() for _ in range(4)])
        found = piecemeal(f"{_HEAD}jobs:\n{''.join(jobs)}")
        wrong += isinstance(found, list)
        if isinstance(found, Crontab):
            good += 1
            chains += any(job.then for job in found.jobs)
    assert good > 15
    assert wrong > 20
    assert chains > 10
