"""What people ask of jobs and clusters: the last word on each is kept, the longest pause counts."""

from typing import Any

import orjson
import pytest

from cronstream.core.planning.controls import Controls, is_lifted, latest, steered, word_on
from cronstream.core.planning.known_jobs import JobsKnown
from cronstream.core.planning.recent import Recent
from cronstream.core.wire.codec import encode
from cronstream.core.wire.control import MOST_CHARACTERS, Control
from cronstream.core.wire.enumerations import ControlAction
from cronstream.core.wire.runs import Job
from cronstream.errors import MessageError
from tests.core.planning.test_due import a_job, at


def a_word(at_s: float = 0, *, job: str | None = "backup", **more: Any) -> Control:
    values: dict[str, Any] = {
        "action": ControlAction.PAUSE,
        "cluster": "a",
        "by": "ada",
        "at": at(at_s),
        "job": job,
        **more,
    }
    return Control(**values)


def resumed(at_s: float, **more: Any) -> Control:
    return a_word(at_s, action=ControlAction.RESUME, **more)


def heard(job: Job | None, *words: Control) -> Controls:
    controls = Controls()
    for word in words:
        controls.hear(word, job if word.job else None)
    return controls


def test_the_last_word_on_each_job_and_cluster_is_kept() -> None:
    words = [a_word(1), a_word(2, job=None), resumed(3), resumed(4, job=None, cluster="b")]
    controls = heard(a_job(), *words)
    assert controls
    assert controls.all() == [words[2], words[1], words[3]]
    assert not Controls()


@pytest.mark.parametrize("job", [None, a_job(removed=True), a_job(cluster="b")])
def test_a_word_on_a_job_that_is_not_there_does_not_count(job: Job | None) -> None:
    controls = Controls()
    controls.hear(a_word(), job)
    assert not controls


def test_words_on_more_clusters_than_there_may_be_are_not_kept_but_a_later_one_on_a_known_is() -> (
    None
):
    words = [a_word(job=None, cluster=f"c{n}") for n in range(10_001)]
    later = resumed(1, job=None, cluster="c0")
    controls = heard(None, *words, later)
    assert len(controls.of_cluster) == 10_000
    assert controls.of_cluster["c0"] is later


def test_what_was_asked_of_a_job_is_forgotten_when_it_is_taken_out() -> None:
    controls = heard(a_job(), a_word(), a_word(job=None))
    controls.learn(a_job())
    assert controls.of_job
    controls.learn(a_job(removed=True))
    assert not controls.of_job
    assert controls.of_cluster


def test_of_pauses_the_one_that_lasts_longest_counts_and_else_the_last_word() -> None:
    short, long = a_word(2, until=at(60)), a_word(1, job=None, until=at(90))
    assert word_on(a_job(), short, long) == long
    assert word_on(a_job(), short, a_word(1, job=None)) == a_word(1, job=None)
    of_cluster = short.derive(job=None)
    assert word_on(a_job(), resumed(1), of_cluster) == of_cluster
    assert word_on(a_job(), resumed(5), resumed(6, job=None)) == resumed(6, job=None)
    assert word_on(a_job(), None, None) is None


def test_a_pause_that_was_over_when_a_later_word_came_counts_no_longer() -> None:
    own, of_cluster = a_word(1, until=at(60)), a_word(1, job=None, until=at(60))
    assert word_on(a_job(), resumed(90), of_cluster) == resumed(90)
    assert word_on(a_job(control=of_cluster), resumed(90), None) == resumed(90)
    assert word_on(a_job(), own, resumed(90, job=None)) == resumed(90, job=None)
    assert word_on(a_job(), resumed(59), of_cluster) == of_cluster.derive(resumed_at=at(59))
    assert word_on(a_job(), a_word(1, until=at(0)), None) == a_word(1, until=at(0))


def test_a_pause_that_holds_although_its_job_was_resumed_says_when_that_was() -> None:
    of_cluster, own = a_word(1, job=None, until=at(60)), a_word(1, until=at(60))
    lifted = of_cluster.derive(resumed_at=at(5))
    assert word_on(a_job(), resumed(5), of_cluster) == lifted
    assert word_on(a_job(), own, resumed(7, job=None)) == own.derive(resumed_at=at(7))
    # It does so when that word is not known any more, too, until there is another pause.
    assert word_on(a_job(control=lifted), None, of_cluster) == lifted
    assert word_on(a_job(control=lifted), None, None) == lifted
    assert word_on(a_job(control=lifted), a_word(6, until=at(9)), of_cluster) == lifted
    again = word_on(a_job(control=lifted), resumed(8), of_cluster)
    assert again == of_cluster.derive(resumed_at=at(8))
    later = a_word(9, job=None)
    assert word_on(a_job(control=lifted), None, later) == later


def test_a_job_that_is_resumed_while_its_cluster_is_paused_is_lifted_once() -> None:
    of_cluster = a_word(1, job=None)
    paused, lifted = a_job(control=of_cluster), a_job(control=of_cluster.derive(resumed_at=at(5)))
    assert is_lifted(lifted, paused)
    assert not is_lifted(lifted, lifted)
    assert not is_lifted(paused, a_job(control=resumed(0)))
    assert is_lifted(a_job(control=of_cluster.derive(resumed_at=at(8))), lifted)


def test_two_words_in_one_message_are_heard_in_their_order() -> None:
    known = JobsKnown([0])
    known.of[0].fold(0, encode(a_job()))
    known.of[0].fold(1, b"[" + encode(a_word(1)) + b"," + encode(resumed(2)) + b"]")
    assert [job.control for job in known.steered(known.jobs)] == [resumed(2)]


def test_the_word_that_a_job_has_counts_until_another_is_known() -> None:
    own, of_cluster = a_word(1), a_word(1, job=None)
    assert word_on(a_job(control=own), None, None) == own
    assert word_on(a_job(control=own), resumed(2), None) == resumed(2)
    assert word_on(a_job(control=of_cluster), None, None) == of_cluster
    assert word_on(a_job(control=of_cluster), None, resumed(2, job=None)) == resumed(2, job=None)
    assert word_on(a_job(cluster="b", control=of_cluster), None, None) is None


def test_a_job_is_steered_by_what_is_said_on_any_partition() -> None:
    said = [heard(a_job(), a_word(1)), heard(None, a_word(9, job=None, until=at(10)))]
    assert steered(a_job(), said).control == a_word(1)
    assert steered(a_job(), []) == a_job()
    assert latest([None, a_word(1), a_word(3), a_word(2)]) == a_word(3)
    assert latest([None]) is None


def test_only_the_first_definition_that_was_resumed_lifts_a_pause() -> None:
    lifted = a_job(control=resumed(2))
    assert is_lifted(lifted, None)
    assert is_lifted(lifted, a_job(control=a_word(1)))
    assert not is_lifted(lifted, lifted)
    assert not is_lifted(a_job(control=a_word(1)), None)
    assert not is_lifted(a_job(), None)


def test_what_was_asked_is_kept_with_the_jobs_and_found_again() -> None:
    recent = Recent()
    recent.fold(0, encode(a_job()))
    recent.fold(1, encode(a_word(1)))
    recent.fold(2, encode(a_word(2, job=None)))
    recent.fold(3, encode(a_word(3, job="other")))
    found = Recent.from_row(orjson.loads(orjson.dumps(recent.to_row())))
    assert found.controls.all() == recent.controls.all() == [a_word(1), a_word(2, job=None)]
    deaf = Recent.from_row(
        orjson.loads(orjson.dumps(recent.to_row())), lambda said: isinstance(said, Job)
    )
    assert not deaf.controls


def test_jobs_are_as_people_have_asked_whatever_the_crontab_says() -> None:
    known = JobsKnown([0])
    assert known.steered([a_job()]) == [a_job()]
    kept = a_job(control=a_word(1))
    assert known.steered([a_job(), a_job("other")], [kept]) == [kept, a_job("other")]
    known.of[0].fold(0, encode(a_job()))
    known.of[0].fold(1, encode(a_word(2)))
    assert known.steered([a_job()])[0].control == a_word(2)


def test_words_that_are_too_long_are_refused() -> None:
    longest = "x" * MOST_CHARACTERS
    assert a_word(reason=longest, by=longest).reason == longest
    for name in ("reason", "by"):
        more: dict[str, Any] = {name: f"{longest}x"}
        with pytest.raises(MessageError, match="more than 500 characters"):
            a_word(**more)


def test_a_word_on_a_job_that_is_not_there_is_not_kept() -> None:
    assert not heard(None, a_word(1))
