"""What happens in three months, drawn from the seed: deploys, deaths, nights, edits, clocks."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from cronstream.core.planning.making import run_of
from cronstream.core.wire.enumerations import Cause
from cronstream.core.wire.runs import Discarded, Job, Run
from tests.simulation.log import Log
from tests.simulation.loop import moment
from tests.simulation.process import Process
from tests.timelapse.jobs import CLUSTERS, another_schedule, once
from tests.timelapse.kafka import DAY_S, SegmentedLog
from tests.timelapse.scheduler import LapseScheduler
from tests.timelapse.worker import LapseWorker

if TYPE_CHECKING:
    from tests.timelapse.lapse import Lapse

_HOUR_S: Final = 3600.0
_MINUTE_S: Final = 60.0
#: Kinds of trouble, and how often each comes beside the others.
_KINDS: Final = {
    "crash": 8,
    "cut": 4,
    "pause": 4,
    "executor dies": 3,
    "no workers": 3,
    "no schedulers": 3,
    "kafka away": 3,
    "partition down": 3,
    "edit": 10,
    "removal": 3,
    "move": 2,
    "one more job": 4,
    "worker away": 3,
    "run now": 5,
    "cancel": 3,
    "replay": 3,
    "clock of a process": 3,
    "clock of a broker": 3,
    "garbage": 3,
    "beginning deleted": 2,
    "snapshots lost": 2,
}
#: Half of the installations begin with old processes, which are upgraded within some weeks.
_OLD: Final = 0.5
#: Late starts are excused for so long after a trouble: others must notice, and take over.
_AFTER_S: Final = 40.0


def kinds() -> list[str]:
    """Return the kinds of trouble."""
    return list(_KINDS)


class Trouble:
    """Troubles of one time-lapse."""

    def __init__(self, lapse: "Lapse") -> None:
        self.lapse, self.dice, self.loop = lapse, lapse.dice, lapse.loop
        self._jobs_once = 0

    def begin(self, days: int) -> None:
        """Draw what is to happen, and when."""
        # Each installation has its own mixture: rare meetings of two kinds become common somewhere.
        weights = [weight * self.dice.choice((0.2, 1, 1, 4)) for weight in _KINDS.values()]
        often = self.dice.choice(((0, 0, 1), (0, 1, 1, 2), (1, 2, 3)))
        for day in range(days - 1):
            for kind in self.dice.choices(list(_KINDS), weights, k=self.dice.choice(often)):
                act: Callable[[], None] = getattr(self, f"_{kind.replace(' ', '_')}")
                self.loop.at(self._moment(day), partial(self._begin, kind, act))
        for week in range(days // 7):
            at = (week * 7 + self.dice.uniform(0, 6)) * DAY_S
            self.loop.at(at, self._deploy)

    def _moment(self, day: int) -> float:
        """Return a moment of a day; rather one about which something is due."""
        at = (day + self.dice.random()) * DAY_S
        if self.dice.random() < 0.7:
            return round(at / 1800) * 1800 + self.dice.uniform(-40, 15)
        return at

    def _begin(self, kind: str, act: Callable[[], None]) -> None:
        if self.lapse.in_trouble:
            self.lapse.count[kind] += 1
            act()

    def end(self) -> None:
        """Put right what is wrong, and begin nothing new."""
        lapse = self.lapse
        for log in lapse.topics.all():
            log.ahead_s = log.down_until = 0.0
        lapse.ticks_ahead_s = 0.0
        for process in lapse.processes:
            process.skew = 0.0
        self._tell_of_clocks()
        self._excuse(5 * _MINUTE_S, "the end")

    def _excuse(self, lasts_s: float, why: str, before_s: float = 35.0) -> None:
        now = self.loop.now
        self.lapse.excuses.append((now - before_s, now + lasts_s + _AFTER_S, why))

    def strike(self, process: Process, step: str) -> None:
        """Hit a process that has just done a step of its work."""
        self.lapse.count[f"struck when {step}"] += 1
        if isinstance(process, LapseWorker | LapseScheduler):
            self.dice.choice((self._crash, self._cut, self._pause))(process)

    def _everybody(self) -> "list[LapseWorker | LapseScheduler]":
        return [*self.lapse.workers, *self.lapse.schedulers]

    def _any(self) -> "LapseWorker | LapseScheduler | None":
        lapse = self.lapse
        alive = [p for p in self._everybody() if p.alive and not p.draining]
        holders = [w for w in lapse.workers if w.alive and w.member.holding]
        if holders and self.dice.random() < 0.5:
            return self.dice.choice(holders)
        return self.dice.choice(alive) if alive else None

    def _span(self) -> float:
        """Return seconds, minutes or hours."""
        longest = self.dice.choice((5.0, 30.0, 300.0, 4 * _HOUR_S))
        return self.dice.uniform(0.3, 1) * longest

    # -- processes ------------------------------------------------------------------------

    def _crash(self, process: "LapseWorker | LapseScheduler | None" = None) -> None:
        if process := process or self._any():
            down_s = self._span()
            self._excuse(self._alone(process, down_s), "crash")
            process.crash(down_s)

    def _alone(self, process: Process, down_s: float) -> float:
        """Return for how long nobody can take the place of a process that is down."""
        others = [p for p in process.group.members if p is not process and p.fit]
        return 20.0 if others else down_s + 20.0

    def _cut(self, process: "LapseWorker | LapseScheduler | None" = None) -> None:
        if process := process or self._any():
            self._settle(process)
            until = process.cut_until = max(process.cut_until, self.loop.now + self._span())
            self._silence(process, until)

    def _pause(self, process: "LapseWorker | LapseScheduler | None" = None) -> None:
        if process := process or self._any():
            self._settle(process)
            until = process.paused_until = max(process.paused_until, self.loop.now + self._span())
            if isinstance(process, LapseWorker) and self.dice.random() < 0.5:
                process.executor.paused_until = until
                self.lapse.stopped.append((process.id, self.loop.now, until))
            elif isinstance(process, LapseScheduler) and process.mine and self.dice.random() < 0.5:
                process.later(0.001, process.write_late)
            self._silence(process, until)

    def _settle(self, process: Process) -> None:
        if isinstance(process, LapseScheduler):
            process.settle()

    def _silence(self, process: Process, until: float) -> None:
        lasts_s = until - self.loop.now
        self._excuse(max(self._alone(process, lasts_s), min(lasts_s, 60.0)), "silence")
        self.lapse.silences.append((process.id, self.loop.now, until))
        process.group.silent(process)
        self.loop.at(until + 0.001, partial(_is_back, process))

    def _executor_dies(self) -> None:
        lapse = self.lapse
        if holders := [w for w in lapse.workers if w.alive and w.member.holding]:
            self._excuse(20.0, "executor")
            worker = self.dice.choice(holders)
            executor = self.dice.choice(worker.executors)
            runs = [key.partition("#")[0] for key, one in worker.apart.items() if one is executor]
            lapse.struck_alone.update([] if executor.dead else runs)
            worker.lose_executor(executor)

    def _no_workers(self) -> None:
        """A cluster is without workers, of one role or of both, for hours or for a long weekend."""
        lasts_s = self.dice.choice((2 * _HOUR_S, 10 * _HOUR_S, 62 * _HOUR_S))
        retry = self.dice.choice((None, False, True))
        self._excuse(lasts_s + 60, "no workers")
        for worker in self.lapse.workers_of(self.dice.choice(CLUSTERS), retry=retry):
            self._stop(worker, lasts_s + self.dice.uniform(0, 30))

    def _no_schedulers(self) -> None:
        lasts_s = self.dice.choice((600.0, 3 * _HOUR_S, 30 * _HOUR_S))
        self._excuse(lasts_s + 60, "no schedulers")
        for scheduler in self.lapse.schedulers:
            scheduler.crash(lasts_s + self.dice.uniform(0, 30))

    def _worker_away(self) -> None:
        """One worker is taken out for days, as when machines come and go."""
        worker = self.dice.choice(self.lapse.workers)
        lasts_s = self.dice.uniform(0.5, 4) * DAY_S
        self._excuse(self._alone(worker, lasts_s), "worker away")
        self._stop(worker, lasts_s)

    def _stop(self, worker: LapseWorker, down_s: float) -> None:
        if worker.fit and not worker.draining and self.dice.random() < 0.6:
            worker.drain(self.dice.choice((1.0, 30.0)), down_s)
        else:
            worker.crash(down_s)

    def _deploy(self) -> None:
        """Each process is started again, one after the other: workers first, then schedulers."""
        self.lapse.count["deploys"] += 1
        processes = self._everybody()
        self._excuse(len(processes) * 30.0 + 60.0, "deploy")
        for number, process in enumerate(processes):
            self.loop.at(self.loop.now + number * 30.0, partial(self._restart, process))

    def _restart(self, process: "LapseWorker | LapseScheduler") -> None:
        if not process.alive or process.draining or not self.lapse.in_trouble:
            return
        if process.fit and self.dice.random() < 0.8:
            process.drain(self.dice.choice((1.0, 10.0)), 2.0)
        else:
            process.crash(2.0)

    def upgrade(self) -> None:
        """Have some installations begin with old processes, which are upgraded within weeks."""
        dice = self.dice
        if dice.random() >= _OLD:
            return
        begins_at, in_order = dice.uniform(1, 25) * DAY_S, dice.random() < 0.7
        processes = self._everybody()
        if not in_order:
            dice.shuffle(processes)
        for number, process in enumerate(processes):
            process.upgraded_at = begins_at + number * 90.0
            self.loop.at(process.upgraded_at, partial(self._upgrade, process))
        self.loop.at(begins_at, partial(self._excuse, 90.0 * len(processes) + 120.0, "upgrade"))

    def _upgrade(self, process: "LapseWorker | LapseScheduler") -> None:
        self.lapse.count["upgrades"] += 1
        if process.knows == 1:
            self._restart(process)

    # -- Kafka ----------------------------------------------------------------------------

    def _kafka_away(self) -> None:
        lapse = self.lapse
        for scheduler in lapse.schedulers:
            scheduler.settle()
        lasts_s = self.dice.choice((3.0, 30.0, 300.0, _HOUR_S)) * self.dice.uniform(0.5, 1)
        until = lapse.outage_until = max(lapse.outage_until, self.loop.now + lasts_s)
        self._excuse(lasts_s + 30, "kafka away")
        lapse.outages.append((self.loop.now, until))
        self.loop.at(until + 0.001, self._restore)

    def _restore(self) -> None:
        for process in self.lapse.processes:
            self.loop.at(self.loop.now + self.dice.random(), partial(_is_back, process))

    def _partition_down(self) -> None:
        """A partition of a log has no leader for a while."""
        logs = self._logs()
        log = self.dice.choice(logs)
        lasts_s = self.dice.choice((20.0, 600.0, 5 * _HOUR_S)) * self.dice.uniform(0.5, 1)
        log.down_until = self.loop.now + lasts_s
        self._excuse(lasts_s + 90, "partition down")
        self.lapse.outages.append((self.loop.now, log.down_until))

    def _logs(self) -> list[SegmentedLog]:
        lapse = self.lapse
        return [
            lapse.topics.log(log.name, log.partition)
            for cluster in CLUSTERS
            for retry in (False, True)
            for log in lapse.logs_of(retry=retry, cluster=cluster)
        ]

    def _garbage(self) -> None:
        """Somebody puts on a log what nobody understands: it is put aside, with its place."""
        for _ in range(self.dice.randint(1, 5)):
            self.dice.choice(self._logs()).append(self.loop.now, [])

    def _beginning_deleted(self) -> None:
        """A person deletes what is settled of a log (DeleteRecords)."""
        for (cluster, retry, partition), folded in self.lapse.judge.folds.items():
            log = self._log(cluster, retry=retry, partition=partition)
            # Nothing deletes what was appended a moment ago: a scheduler may publish it again.
            is_old = log.messages and log.true_times[-1] < self.loop.now - 15 * _MINUTE_S
            if is_old and not folded.ledger.book.live and self.dice.random() < 0.5:
                log.delete_before(len(log.messages))

    def _log(self, cluster: str, *, retry: bool, partition: int) -> SegmentedLog:
        log = self.lapse.logs_of(retry=retry, cluster=cluster)[partition]
        return self.lapse.topics.log(log.name, log.partition)

    def _snapshots_lost(self) -> None:
        """The changelogs of a role are deleted, and its workers fold from what retention left.

        At level 1 no revision is learnt from runs, so there it must have left all.
        """
        cluster, retry = self.dice.choice(CLUSTERS), self.dice.random() < 0.4
        logs = self.lapse.logs_of(retry=retry, cluster=cluster)
        if self.lapse.level == 1 and any(log.start for log in logs):
            return
        self._excuse(60.0, "snapshots lost")
        for worker in self.lapse.workers_of(cluster, retry=retry):
            worker.crash(self.dice.uniform(5, 10))
        self.loop.at(self.loop.now + 4.9, partial(self._lose, cluster, retry))

    def _lose(self, cluster: str, retry: bool) -> None:
        for changelog in self.lapse.ledgers[cluster, retry]:
            changelog.lose()

    # -- clocks ---------------------------------------------------------------------------

    def _clock_of_a_process(self) -> None:
        """A machine wakes, or NTP puts it right: seconds or minutes, and right again later."""
        process = self.dice.choice(self._everybody())
        lasts_s = self.dice.choice((20.0, 300.0, 2 * _HOUR_S)) * self.dice.uniform(0.5, 1)
        by_s = self.dice.choice((-3600.0, -600.0, -20.0, -3.0, 3.0, 20.0, 600.0, 10800.0))
        self._settle(process)
        self._excuse(lasts_s + 70, "clock of a process", before_s=_HOUR_S + 60)
        until = self.loop.now + lasts_s
        self.lapse.stepped.append((process.name, self.loop.now, until, max(0.0, by_s)))
        self._step(process, by_s)
        self.loop.at(self.loop.now + lasts_s, partial(self._step, process, 0.0))

    def _step(self, process: Process, skew: float) -> None:
        process.skew = skew
        self._tell_of_clocks(process)

    def _clock_of_a_broker(self) -> None:
        """A broker's clock is wrong, for the logs that it leads; at level 1 that does harm."""
        if self.lapse.level == 1:
            return
        lasts_s = self.dice.choice((60.0, 3 * _HOUR_S, 2 * DAY_S)) * self.dice.uniform(0.5, 1)
        by_s = self.dice.choice((-2 * _HOUR_S, -20.0, 20.0, 600.0, 3 * _HOUR_S, 2 * DAY_S))
        logs = self.dice.sample(self._logs(), self.dice.randint(1, len(self._logs())))
        self._excuse(lasts_s + 60, "clock of a broker")
        self._step_broker(logs, by_s)
        self.loop.at(self.loop.now + lasts_s, partial(self._step_broker, logs, 0.0))

    def _step_broker(self, logs: list[SegmentedLog], ahead_s: float) -> None:
        for log in logs:
            log.ahead_s = ahead_s

    def _tell_of_clocks(self, process: Process | None = None) -> None:
        for one in [process] if process else self.lapse.processes:
            if isinstance(one, LapseWorker):
                one.clock_stepped()
            elif isinstance(one, LapseScheduler):
                one.poke()

    # -- people ---------------------------------------------------------------------------

    def _job(self) -> Job:
        """Return a job: one that was there for some days does not come back."""
        file = self.lapse.file
        names = [n for n, job in file.items() if not (n.startswith("once") and job.removed)]
        return file[self.dice.choice(names)]

    def _edit(self) -> None:
        """Change a job, or put it in again; now and then several times in a row."""
        job = self._job()
        for _ in range(self.dice.choice((1, 1, 1, 3))):
            schedule = another_schedule(job.name, self.dice)
            edited = job.derive(schedule=schedule, removed=False)
            self.loop.at(self.loop.now + self.dice.uniform(0, 20), partial(self._put, edited))

    def _put(self, job: Job) -> None:
        if self.lapse.in_trouble:
            self.lapse.edit(job)

    def _removal(self) -> None:
        job = self._job()
        self._put(job.derive(removed=True))
        if self.dice.random() < 0.7:
            again_s = self.dice.choice((5.0, 60.0, DAY_S, 20 * DAY_S)) * self.dice.uniform(0.5, 1)
            self.loop.at(self.loop.now + again_s, partial(self._put, job.derive(removed=False)))

    def _move(self) -> None:
        """Move a job to the other cluster."""
        job = self._job()
        self._put(job.derive(cluster=CLUSTERS[job.cluster == CLUSTERS[0]]))

    def _one_more_job(self) -> None:
        """Put in a job for some days, under a name that never comes again."""
        self._jobs_once += 1
        job, self.lapse.specs[job.name] = once(self._jobs_once, self.dice)
        self._put(job)
        lasts_s = self.dice.uniform(0.2, 3) * DAY_S
        self.loop.at(self.loop.now + lasts_s, partial(self._take_out, job.name))

    def _take_out(self, name: str) -> None:
        """Take a job out of the file for good."""
        if self.lapse.in_trouble:
            self.lapse.take_out(name)

    def _run_now(self) -> None:
        job, now = self._job(), moment(int(self.loop.now))
        if job.removed:
            return
        number = len(self.lapse.manual)
        self._ask(run_of(job, None, now, cause=Cause.RUN_NOW, number=number))

    def _ask(self, run: Run) -> None:
        self.lapse.manual.append(run)
        self.lapse.client.publish(run)

    def _replay(self) -> None:
        """Replay runs that were discarded, perhaps weeks ago, where their job is now."""
        found = [r for log in self._discarded() for _, [r] in log.messages[log.start :]]
        for one in self.dice.sample(found, min(len(found), self.dice.choice((1, 1, 5)))):
            if isinstance(one, Discarded):
                now, run = moment(self.loop.now), one.run
                job = self.lapse.file.get(run.job)
                self._ask(
                    run.derive(
                        cluster=job.cluster if job else run.cluster,
                        cause=Cause.REPLAY,
                        number=len(self.lapse.manual),
                        revision=None,
                        not_before=now,
                        attempt=1,
                        attempts_left=run.max_attempts,
                        attempts=None,
                    )
                )

    def _discarded(self) -> list[Log]:
        return [log for log in self.lapse.topics.all() if log.name.endswith(".discarded")]

    def _cancel(self) -> None:
        """Cancel a run, whatever it is doing: one that waits for its retry, if there is one."""
        folds = self.lapse.judge.folds.items()
        live = [
            one.run
            for (_, retry, _), f in folds
            if not retry
            for one in f.ledger.book.live.values()
        ]
        if live:
            self.lapse.client.cancel(self.dice.choice(live))


def _is_back(process: Process) -> None:
    if process.fit:
        process.group.back(process)
