"""The ids of a run's trace: made from the run's id, so that all processes agree without a word."""

import hashlib
from dataclasses import dataclass

_TRACE_BYTES, _SPAN_BYTES = 16, 8
#: What the ids are for, so that no other use of the same hash gives the same.
_PERSON = b"cronstream trace"


@dataclass(frozen=True, slots=True)
class TraceIds:
    """Makes the ids of one installation: another one may have a job of the same name.

    Attributes:
        kafka: The id of its Kafka.
        prefix: What its topics begin with.
    """

    kafka: str
    prefix: str

    def trace(self, run: str) -> int:
        """Return the id of the trace of a run, given the run's id."""
        return self._number(_TRACE_BYTES, run)

    def span(self, run: str, *what: str) -> int:
        """Return the id of a span in it; without `what`, of the one that all others are below."""
        return self._number(_SPAN_BYTES, run, "span", *what)

    def _number(self, size: int, *parts: str) -> int:
        text = "\0".join((self.kafka, self.prefix, *parts))
        digest = hashlib.blake2b(text.encode(), digest_size=size, person=_PERSON).digest()
        return int.from_bytes(digest) or 1  # 0 is no id.


def traceparent(trace: int, span: int, *, is_sampled: bool) -> str:
    """Return the text by which another program goes on with a trace (W3C Trace Context, 3.2)."""
    return f"00-{trace:032x}-{span:016x}-{int(is_sampled):02x}"
