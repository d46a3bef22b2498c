"""What a worker tells that is looked up when somebody scrapes."""

from cronstream.metrics.labels import MOST_JOBS
from cronstream.metrics.worker import WorkerState
from tests.builders import NOON, a_run, at
from tests.member_builders import BACKUP, Worker
from tests.metrics.built import of_worker, value

NOTHING = WorkerState(NOON, 4)


def a_worker() -> Worker:
    worker = Worker()
    worker.assign(0)
    worker.flush()
    return worker


def test_an_idle_worker_waits_for_nothing() -> None:
    metrics = of_worker(a_worker(), NOTHING)

    assert value(metrics, "cronstream_runs_running") == 0
    assert value(metrics, "cronstream_worker_slots") == 4
    assert value(metrics, "cronstream_runs_waiting") == 0
    assert value(metrics, "cronstream_oldest_unstarted_run_age_seconds") == 0
    assert value(metrics, "cronstream_longest_running_ratio") == 0
    assert value(metrics, "cronstream_partitions_owned") == 1


def test_what_kafka_has_beyond_the_fold_is_its_lag() -> None:
    worker = a_worker()
    folded = worker.member.ledgers[0].book.next_offset
    ends = {0: folded + 7, 1: 99}
    metrics = of_worker(worker, WorkerState(NOON, 4, ends=ends))

    assert value(metrics, "cronstream_fold_lag_messages", partition="0") == 7
    assert value(metrics, "cronstream_fold_lag_messages", partition="1") is None


def test_the_attempt_that_is_nearest_to_its_timeout_is_the_one_that_is_told() -> None:
    worker = a_worker()
    worker.log(BACKUP)
    for number, timeout_s in enumerate((100.0, 50.0, None)):
        worker.log(a_run(scheduled_at=at(number), timeout_s=timeout_s))
    worker.settle()
    for key in list(worker.member.holding):
        worker.member.started(key, NOON, 1)

    metrics = of_worker(worker, WorkerState(at(25), 4))
    assert value(metrics, "cronstream_runs_running") == 3
    assert value(metrics, "cronstream_longest_running_ratio") == 0.5


def test_of_jobs_that_share_a_label_the_oldest_last_success_is_told() -> None:
    worker = a_worker()
    book = worker.member.ledgers[0].book
    for number in range(MOST_JOBS):
        book.mark(f"job-{number}").succeeded_at = at(number)
    for job, seconds in (("late", 30), ("older", 20), ("newer", 40)):
        book.mark(job).succeeded_at = at(seconds)
    book.mark("never")
    gone = book.mark("gone")
    gone.succeeded_at, gone.revisions, gone.removed = at(10), [(1, NOON)], 1
    metrics = of_worker(worker, NOTHING)

    name = "cronstream_job_last_success_timestamp_seconds"
    assert value(metrics, name, cron_job="job-7") == at(7).timestamp()
    # `backup` has taken the label of `job-499`, which counts among the rest.
    assert value(metrics, name, cron_job="_other") == at(20).timestamp()
    assert value(metrics, name, cron_job="gone") is None


def test_a_snapshot_that_was_made_elsewhere_has_a_size_and_no_time() -> None:
    metrics = of_worker(a_worker(), WorkerState(NOON, 4, snapshots={0: (77, None), 1: (1, None)}))

    assert value(metrics, "cronstream_snapshot_bytes", partition="0") == 77
    assert value(metrics, "cronstream_snapshot_bytes", partition="1") is None
    assert value(metrics, "cronstream_snapshot_timestamp_seconds", partition="0") is None
