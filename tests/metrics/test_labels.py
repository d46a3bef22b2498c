"""How many series jobs may make."""

from cronstream.metrics.labels import MOST_JOBS, OTHER, JobLabels


def test_beyond_five_hundred_jobs_the_rest_share_a_label() -> None:
    labels = JobLabels()
    given = [labels.of(f"job-{number}") for number in range(600)]

    assert MOST_JOBS == 500
    assert given[:500] == [f"job-{number}" for number in range(500)]
    assert given[500:] == [OTHER] * 100


def test_a_job_keeps_its_label() -> None:
    labels = JobLabels(most=1)

    assert [labels.of(job) for job in ("a", "b", "a")] == ["a", OTHER, "a"]
    assert ("a" in labels, "b" in labels) == (True, False)


def test_a_name_that_is_too_long_for_any_crontab_has_no_label_of_its_own() -> None:
    labels = JobLabels()

    assert labels.of("x" * 201) == OTHER
    assert labels.own == []
