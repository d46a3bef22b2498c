"""The runs of due times that a person wants run after all."""

from datetime import timedelta

from cronstream.core.ledger.deadline import start_by
from cronstream.core.planning.backfill import Wanted, not_made, runs_of
from cronstream.core.wire.codec import decode_entries, encode_entries
from cronstream.core.wire.enumerations import Cause
from cronstream.core.wire.levels import needed_level
from tests.core.planning.test_due import START, a_job, at

DUE = [(at(60 * n), a_job(command=f"echo {n}", start_within_s=1.0)) for n in range(3)]
WANTED = Wanted(at(10_000), timedelta(seconds=10), "ada@here")


def test_each_is_made_by_its_own_definition_and_starts_in_its_turn() -> None:
    runs = runs_of(DUE, WANTED, {})

    assert [run.command for run in runs] == ["echo 0", "echo 1", "echo 2"]
    assert [run.scheduled_at for run in runs] == [at(0), at(60), at(120)]
    assert [run.not_before for run in runs] == [at(10_000), at(10_010), at(10_020)]
    assert {run.cause for run in runs} == {Cause.BACKFILL}
    assert {run.by for run in runs} == {"ada@here"}


def test_what_is_asked_for_twice_has_the_same_id() -> None:
    later = Wanted(at(20_000), timedelta(seconds=1), "bob@there")

    assert [r.id for r in runs_of(DUE, WANTED, {})] == [r.id for r in runs_of(DUE, later, {})]
    assert runs_of(DUE, WANTED, {})[0].id == "backup@2026-03-02T12:00:00Z!backfill-0"


def test_what_is_wanted_again_is_another_run() -> None:
    again = Wanted(at(20_000), timedelta(seconds=1), "bob@there", again=True)

    assert not {r.id for r in runs_of(DUE, WANTED, {})} & {r.id for r in runs_of(DUE, again, {})}


def test_it_goes_to_where_its_job_is_now() -> None:
    assert {run.cluster for run in runs_of(DUE, WANTED, {"backup": "b"})} == {"b"}


def test_it_is_never_too_old_to_start() -> None:
    assert [start_by(run) for run in runs_of(DUE, WANTED, {})] == [None] * 3


def test_of_what_has_a_run_there_is_no_other() -> None:
    assert not_made(DUE, {START}) == DUE[1:]


def test_workers_of_a_level_that_does_not_know_it_are_not_given_it() -> None:
    [run] = runs_of(DUE[:1], WANTED, {})
    [read], refused = decode_entries(encode_entries([run]))

    assert (read, refused) == (run, [])
    assert needed_level(run) == 4
