"""The due times of a job, by its definitions and from when each of them held."""

from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from cronstream.core.audit import definitions
from cronstream.core.audit.definitions import Definitions, JobHistory
from cronstream.core.planning.recent import Recent
from cronstream.core.wire.codec import encode
from cronstream.core.wire.entries import Withdrawal
from cronstream.core.wire.job_messages import Definition
from tests.builders import at
from tests.core.audit.books import a_job, due_at


def due(history: JobHistory, after: float, until: float) -> list[tuple[float, int]]:
    """Return due times in seconds after noon, with the revision that each follows."""
    found = history.due(at(after), at(until))
    return [((moment - at(0)).total_seconds(), revision.number) for moment, revision in found]


def history_of(*definitions: dict[str, Any]) -> JobHistory:
    history = JobHistory("backup")
    for number, fields in enumerate(definitions):
        history.define(number, a_job(**fields))
    return history


def hold(history: JobHistory, revision: int, since: float, said: float) -> None:
    entry = Withdrawal(job="backup", revision=revision, effective_from=at(since))
    history.hold(entry, at(said))


def test_a_definition_holds_until_the_next_one_does() -> None:
    history = history_of({}, {"schedule": "@every 40s", "effective_from": at(100)})

    assert due(history, -1, 170) == [(0, 0), (60, 0), (120, 1), (160, 1)]
    assert due(history, 60, 120) == [(120, 1)]
    assert due(history, 120, 170) == [(160, 1)]


def test_the_log_says_from_when_it_holds_and_its_first_word_counts() -> None:
    history = history_of({}, {"schedule": "@every 40s", "effective_from": at(100)})
    hold(history, 1, 150, 90)
    hold(history, 1, 0, 95)

    assert due(history, 60, 170) == [(120, 0), (160, 1)]


def test_a_removed_job_is_not_due() -> None:
    history = history_of({}, {"removed": True, "effective_from": at(61)})

    assert due(history, -1, 500) == [(0, 0), (60, 0)]


def test_a_schedule_that_cannot_be_read_is_never_due() -> None:
    assert due(history_of({"schedule": "at noon"}), -1, 500) == []


def test_a_new_installation_looks_back_no_further_than_an_hour() -> None:
    history = history_of({"effective_from": at(-7200)})
    hold(history, 0, -7200, 100)

    assert due(history, -7300, -3400) == [(-3480, 0), (-3420, 0)]


def test_an_edit_that_comes_late_holds_from_when_it_says() -> None:
    history = history_of({}, {"effective_from": at(60)})
    hold(history, 1, 60, 60 + 7200)

    assert due(history, 0, 120) == [(60, 1), (120, 1)]


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"revision": 7}, f"revision 7 of its job {definitions.NOT_THERE}"),
        ({"revision": 1}, "revision 1 of its job did not hold yet"),
        ({"cluster": "cluster-b"}, "revision 0 of its job belongs to cluster-a"),
        ({"command": "false"}, "it is not what revision 0 of its job says"),
        ({"max_attempts": 2}, "it is not what revision 0 of its job says"),
        ({}, None),
    ],
)
def test_a_run_is_what_its_definition_asks_for(fields: dict[str, Any], problem: str | None) -> None:
    history = history_of({}, {"effective_from": at(300)})

    assert history.problem(due_at(60, **fields)) == problem


def test_a_run_at_another_time_is_not_asked_for() -> None:
    assert history_of({}).problem(due_at(61)) == "revision 0 of its job is not due then"


def test_the_first_definition_that_no_log_speaks_of_is_told() -> None:
    history = history_of({}, {"effective_from": at(100)}, {"effective_from": at(110)})
    hold(history, 0, 0, 0)

    assert history.unheard_from(at(0)) == at(100)
    hold(history, 1, 100, 100)
    assert history.unheard_from(at(0)) == at(110)
    assert history.unheard_from(at(111)) is None


def test_definitions_that_were_replaced_long_before_are_forgotten() -> None:
    all_ = Definitions(needed_from=at(0))
    days = [timedelta(days=day) for day in (-9, -8, -3, 0)]
    for number, since in enumerate(days):
        all_.fold(number, encode(a_job(effective_from=at(0) + since)))
    history = all_.of["backup"]

    assert [number for number in range(4) if history.find(number)] == [2, 3]
    assert history.problem(due_at(60, revision=3)) is None


@pytest.mark.parametrize("seed", range(40))
def test_what_is_kept_of_the_topic_says_as_much_as_all_of_it_if_it_is_old_enough(
    seed: int,
) -> None:
    random, second = Random(seed), -5 * 86_400.0
    whole, short, kept = Definitions(at(0)), Definitions(at(0)), Recent()
    messages, names = list[bytes](), ["a", "b", "c", "d"]
    while second < 3600 and len(messages) < 60:
        second += random.choice([1, 600, 7200, 86_400])
        fields = {"name": random.choice(names), "removed": random.random() < 0.3}
        every = f"@every {random.choice([30, 60, 90])}s"
        messages.append(encode(a_job(**fields, schedule=every, effective_from=at(second))))
    position = random.randrange(len(messages) + 1)
    for offset, raw in enumerate(messages):
        whole.fold(offset, raw)
        if offset < position:
            kept.fold(offset, raw)
    if kept.dropped_at >= short.bound:
        return  # Not old enough: all of it is read.
    short.begin(kept.definitions(), kept.dropped_by)
    for offset, raw in enumerate(messages[position:], position):
        short.fold(offset, raw)

    for name, history in whole.of.items():
        begun = short.of.get(name) or JobHistory(name)
        assert due(begun, -900, 3600) == due(history, -900, 3600)
        assert begun.unheard_from(at(-900)) == history.unheard_from(at(-900))


def test_what_is_kept_says_of_no_definition_that_it_was_the_first_if_others_are_not_kept() -> None:
    job = a_job(effective_from=at(-86_400))
    found = []
    for dropped_by in (-1, 7):
        all_ = Definitions(at(0))
        all_.begin([Definition(job, 7)], dropped_by)
        hold(all_.of["backup"], 7, -86_400, 0)
        found.append(due(all_.of["backup"], -7200, -7100)[:1])
    assert found == [[], [(-7140, 7)]]


def test_what_is_no_definition_is_passed_over() -> None:
    all_ = Definitions(needed_from=datetime.max.replace(tzinfo=at(0).tzinfo))
    all_.fold(0, b"{")
    all_.fold(1, None)

    assert all_.of == {}


def test_what_does_not_say_from_when_it_holds_does_not_hold() -> None:
    assert due(history_of({"effective_from": None}), -1, 100) == []


def test_what_is_remembered_of_schedules_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(definitions, "_REMEMBERED", 2)

    assert [moment for moment, _ in due(history_of({}), -1, 300)] == [0, 60, 120, 180, 240, 300]


def test_a_definition_that_is_not_believed_does_not_count() -> None:
    forged = a_job(command="evil")
    all_ = Definitions(at(0), lambda job: getattr(job, "command", "") != "evil")

    all_.fold(0, encode(forged))

    assert all_.of == {}
