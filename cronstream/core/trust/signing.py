"""What a signature covers: all that a run, a job or a control says, but for what attempts change.

The form is that of the codec, with sorted keys: defaults are left out, and fields that a process
does not know are passed on, so processes of different versions agree about it. The level is part of
it: without that a field could be hidden as one that is not known yet.
"""

from typing import Final, TypeAlias, TypeVar

import orjson

from cronstream.core.wire.codec import to_json
from cronstream.core.wire.control import Control
from cronstream.core.wire.runs import Job, Run

#: What can be signed.
Signed: TypeAlias = Run | Job | Control
SignedT = TypeVar("SignedT", Run, Job, Control)

#: No signature that a key makes for something else is one of these.
_PURPOSE: Final = b"cronstream signature 1\n"


def signed_bytes(record: Signed) -> bytes:
    """Return the bytes that a signature of this record is made of.

    Of a run these are the same for each of its attempts: number, what is left, and when it may
    start and was judged are in the ledger's care (rule 21 in docs/design/rules.md).
    """
    return _PURPOSE + orjson.dumps(to_json(_as_signed(record)), option=orjson.OPT_SORT_KEYS)


def _as_signed(record: Signed) -> Signed:
    if isinstance(record, Job | Control):
        return record.derive(signature=None)
    return record.derive(
        signature=None,
        attempt=1,
        attempts_left=record.max_attempts,
        not_before=record.scheduled_at,
        attempts=None,
        retry_as_of=None,
        previous=None,
    )
