"""The audit of runs that follow others: what is lost, and what follows nothing."""

from datetime import timedelta

import pytest

from cronstream.core.audit.chains import Chains, Seen, followers
from cronstream.core.audit.finding import Kind, Window
from cronstream.core.planning.making import run_of
from cronstream.core.wire.enumerations import Ending, Verdict
from cronstream.core.wire.runs import Job, Previous, Run, Then
from tests.builders import NOON, a_run, at

WINDOW = Window(NOON, at(3600))
END = at(3600)


def parent() -> Run:
    job = Job("report", "cluster-a", "@daily", "UTC", "true")
    then = [Then(on=Ending.SUCCEEDED, job=job)]
    return run_of(Job("backup", "cluster-a", "@daily", "UTC", "true", then=then), 1, NOON)


def child(follows: str | None = None) -> Run:
    [one] = parent().then or []
    return one.run.derive(previous=Previous(follows or parent().id, Verdict.SUCCEEDED, 1))


def expect(chains: Chains, when: float = 9) -> None:
    ids = followers(parent())[Verdict.SUCCEEDED]
    chains.expect(ids, parent().id, at(when))


def see(chains: Chains, run: Run, when: float = 8) -> None:
    seen = Seen.of(run, at(when))
    assert seen is not None
    chains.see(run.id, seen)


def kinds(chains: Chains, window: Window = WINDOW) -> list[Kind]:
    return [finding.kind for finding in chains.findings(window, NOON, END)]


@pytest.mark.parametrize("first", ["verdict", "run"])
def test_what_follows_and_what_it_follows_meet_in_either_order(first: str) -> None:
    chains = Chains()
    for what in ("verdict", "run") if first == "verdict" else ("run", "verdict"):
        expect(chains) if what == "verdict" else see(chains, child())

    assert kinds(chains) == []


def test_what_is_lost_is_unexplained() -> None:
    chains = Chains()
    expect(chains)

    [finding] = chains.findings(WINDOW, NOON, END)
    assert (finding.kind, finding.run, finding.job) == (Kind.UNEXPLAINED, child().id, "report")
    assert parent().id in finding.text


def test_what_no_scheduler_has_handed_over_yet_waits_and_says_since_when() -> None:
    chains = Chains()
    expect(chains)
    others = chains.missing(WINDOW, END) - {(child().cluster, child().id)}
    assert others == frozenset()

    [finding] = chains.findings(WINDOW, NOON, END, {(child().cluster, child().id)})
    assert (finding.kind, finding.run, finding.job) == (Kind.WAITING, child().id, "report")
    assert f"since 12:00:09Z, when run {parent().id}" in finding.text
    assert finding.facts == {"past_due_s": 3591}


def test_what_may_be_on_its_way_is_not_looked_for() -> None:
    chains = Chains()
    expect(chains, 3590)

    assert chains.missing(WINDOW, END) == frozenset()
    expect(chains, 3601)
    assert chains.missing(WINDOW, at(3700)) == frozenset()  # Not in the window.
    expect(chains)
    assert len(chains.missing(WINDOW, END)) == 1
    assert chains.missing(Window(NOON, END, job="backup"), END) == frozenset()


def test_what_follows_nothing_is_unasked() -> None:
    chains = Chains()
    see(chains, child())

    assert kinds(chains) == [Kind.UNASKED]


def test_what_may_be_on_its_way_or_was_not_audited_is_no_finding() -> None:
    chains = Chains()
    expect(chains, 3590)
    see(chains, child("other@2025-12-31T12:00:00Z"))
    see(chains, child("other@2026-01-01T12:00:00Z!run-now-7"))
    see(chains, child().derive(number=3), 3590)

    assert kinds(chains) == []


def test_of_one_job_alone_nothing_is_said_of_what_others_were_to_do() -> None:
    chains = Chains()
    expect(chains)

    assert kinds(chains, Window(NOON, END, job="backup")) == []


def test_a_run_that_follows_none_is_not_remembered() -> None:
    assert Seen.of(a_run(), NOON) is None
    assert followers(a_run()) == {}
    assert timedelta() == WINDOW.since - NOON


def test_of_a_cluster_that_is_not_read_nothing_is_said() -> None:
    chains = Chains(frozenset({"cluster-b"}))
    expect(chains)
    see(chains, child("other@2026-01-01T12:00:00Z"))

    assert kinds(chains) == []
