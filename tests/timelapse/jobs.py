"""The crontabs of a time-lapse: of jobs that are due every few hours, or every few months."""

from dataclasses import dataclass
from random import Random
from typing import Final

from cronstream.core.wire.enumerations import Delivery, Overlap
from cronstream.core.wire.runs import Backoff, Job, Run

CLUSTERS: Final = ("north", "south")
_HOUR_S: Final = 3600.0
#: Schedules, and how many of each kind a crontab has. Clocks are set forward while it lives, in
#: New York on 8 March and in Berlin on 29 March, at two o'clock.
_OFTEN: Final = ("0 */2 * * *", "17 */3 * * *", "0,30 6-9 * * *", "@every 150m", "0 1-23/2 * * *")
_DAILY: Final = ("30 2 * * *", "0 2 * * *", "59 1 * * *", "15 6,18 * * 1-5", "0 4 * * sun")
_SELDOM: Final = ("0 3 1 * *", "30 5 31 * *", "0 12 15 2,3,4 *", "10 0 29 * *", "0 6 1 */2 *")
_ZONES: Final = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu")


@dataclass(frozen=True, slots=True)
class Spec:
    """What a job's commands do; see `tests.simulation.stage.Spec`."""

    lasts_s: float
    fails: float
    kills: str | None = None

    def is_killer(self, run: Run) -> bool:  # noqa: ARG002 - of this kind there is none here
        """Whether each attempt at this run kills."""
        return False


def crontab(dice: Random) -> dict[str, tuple[Job, Spec]]:
    """Return the jobs that an installation begins with, and what their commands do."""
    kinds = (("often", _OFTEN, 2), ("daily", _DAILY, 3), ("seldom", _SELDOM, 2))
    names = [(f"{kind}-{n}", schedules) for kind, schedules, many in kinds for n in range(many)]
    return {name: job(name, schedules, dice) for name, schedules in names}


def job(name: str, schedules: tuple[str, ...], dice: Random) -> tuple[Job, Spec]:
    """Return a job with one of some schedules."""
    is_often = schedules is _OFTEN
    lasts_s = dice.choice((0.3, 1.0, 4.0) if is_often else (0.3, 5.0, 40.0))
    spec = Spec(lasts_s, dice.choice((0.0, 0.03, 0.3) if is_often else (0.0, 0.3, 0.6)))
    wait_s = dice.choice((15.0, 600.0, 6 * _HOUR_S))
    built = Job(
        name=name,
        cluster=dice.choice(CLUSTERS),
        schedule=dice.choice(schedules),
        timezone=dice.choice(_ZONES),
        command="true",
        max_attempts=dice.choice((1, 2, 4)),
        backoff=Backoff(first_s=wait_s, ceiling_s=30 * _HOUR_S),
        delivery=dice.choice(
            (Delivery.AT_LEAST_ONCE, Delivery.AT_LEAST_ONCE, Delivery.AT_MOST_ONCE)
        ),
        overlap=dice.choice((*(Overlap.ALLOW,) * 4, *Overlap)),
        max_queue=dice.choice((1, 100)),
        missed_grace_s=dice.choice((300.0, _HOUR_S, 60 * _HOUR_S)),
        fence=dice.random() < 0.2,
        grace_s=1.0,
    )
    return built, spec


def another_schedule(name: str, dice: Random) -> str:
    """Return a schedule that an edit may give to a job."""
    kind = name.partition("-")[0]
    return dice.choice({"often": _OFTEN, "daily": _DAILY}.get(kind, _SELDOM))


def once(number: int, dice: Random) -> tuple[Job, Spec]:
    """Return a job that is put in for a while, under a name that never comes again."""
    return job(f"once-{number}", ("20 */3 * * *", "40 1-23/6 * * *"), dice)
