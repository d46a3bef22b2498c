"""Several expressions with rules for all of them, as one text: what a job's schedule is on Kafka.

``0 9 * * mon-fri | 0 12 * * sat; exclude 2026-12-24..2026-12-26; jitter 10m of backup``. A
scheduler that is too old for it cannot read it, rather than read it otherwise.
"""

from dataclasses import dataclass, replace
from typing import Final

from cronstream.core.schedule.clock import Dst
from cronstream.errors import ScheduleError

_NEXT_RULE: Final = ";"
_OR: Final = "|"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a schedule says, part by part, each as people write it.

    Attributes:
        expressions: It is due when one of them is.
        exclude: Dates, ranges and cron expressions of five fields: what it is not due in.
        start: The first date or time that it is due on.
        end: The last date that it is due on, or a time before which it is.
        dst: What becomes of times that clocks skip or repeat; None for what is usual.
        jitter: Up to what length of time each due time is moved; empty for not at all.
        job: The name that picks by how much.
    """

    expressions: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    start: str = ""
    end: str = ""
    dst: Dst | None = None
    jitter: str = ""
    job: str = ""

    @property
    def blame(self) -> str:
        """Why it can never be due, if it cannot, and what to do."""
        if self.exclude:
            return "all that it names is excluded; shorten 'exclude'"
        if self.start or self.end:
            return "nothing that it names is between its start and its end; change one of them"
        return "clocks always skip it; choose another time"

    @staticmethod
    def are_in(text: str) -> bool:
        """Whether a text has rules, rather than being a single expression."""
        return _NEXT_RULE in text or _OR in text

    @classmethod
    def parse(cls, text: str) -> "Rules":
        """Return the parts of a text; they are not looked at.

        Raises:
            ScheduleError: If a rule is not known.
        """
        first, *rest = (part.strip() for part in text.split(_NEXT_RULE))
        rules = cls(_parts(first))
        for rule in rest:
            rules = rules._with(rule)
        return rules

    def _with(self, rule: str) -> "Rules":
        name, _, value = rule.partition(" ")
        match name:
            case "exclude":
                return replace(self, exclude=_parts(value))
            case "start":
                return replace(self, start=value)
            case "end":
                return replace(self, end=value)
            case "dst" if value in set(Dst):
                return replace(self, dst=Dst(value))
            case "jitter" if " of " in value:
                jitter, _, job = value.partition(" of ")
                return replace(self, jitter=jitter, job=job)
        raise ScheduleError(f"has a rule {rule!r}, which is not known")

    def text(self) -> str:
        """Return it as one text; a single expression without rules is only that."""
        rules = [f" {_OR} ".join(self.expressions)]
        if self.exclude:
            rules.append(f"exclude {f' {_OR} '.join(self.exclude)}")
        rules += [f"{name} {said}" for name in ("start", "end") if (said := getattr(self, name))]
        if self.dst is not None:
            rules.append(f"dst {self.dst}")
        if self.jitter:
            rules.append(f"jitter {self.jitter} of {self.job}")
        return f"{_NEXT_RULE} ".join(rules)


def _parts(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(_OR))
