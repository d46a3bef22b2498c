"""What is left out of a record that is larger than a message may be.

By construction none is: a job's definition is measured when the crontab is read, output and notes
are cut where they come from. This is the last resort, for what others have put on a topic, for
brokers that take less, and for what nobody has thought of. What is left out is what only people
read, and it says so.
"""

from collections.abc import Iterator

from cronstream.core.wire.codec import encode
from cronstream.core.wire.entries import Finished
from cronstream.core.wire.messages import Message
from cronstream.core.wire.runs import Discarded, Run
from cronstream.core.wire.sizes import MAX_RECORD_BYTES, MAX_RUN_BYTES, shortened

_CUT = "its output was too large for a message, and is cut"
#: In the place of a command for which there is no room; what has been decided must not wait for it.
_GONE = "echo 'its command was too large to be kept with it' >&2; exit 1"
#: Less output than this is left out altogether.
_LEAST = 16


def fitted(record: Message, limit: int = MAX_RECORD_BYTES) -> Message:
    """Return the record, or one that says less if it takes more than `limit` bytes.

    What cannot be made that small is returned as small as it gets.
    """
    if len(encode(record)) <= limit:
        return record
    smallest = record
    for smallest in _smaller(record):
        if len(encode(smallest)) <= limit:
            break
    return smallest


def _smaller(record: Message) -> Iterator[Message]:
    """Yield the record with less and less in it."""
    match record:
        case Finished():
            yield from _with_less_output(record)
        case Run():
            yield from _with_fewer_attempts(record)
            if record.attempt > 1:
                yield from _without_command(record)
        case Discarded():
            short = record.derive(reason=shortened(record.reason))
            yield short
            for run in (*_with_fewer_attempts(record.run), *_without_command(record.run)):
                yield short.derive(run=run)
        case _:
            pass


def _with_less_output(record: Finished) -> Iterator[Finished]:
    note = record.note or ""
    if not note.endswith(_CUT):
        note = "; ".join(part for part in (note, _CUT) if part)
    head, tail = record.head, record.tail
    while len(head) + len(tail) > _LEAST:
        head, tail = head[: len(head) // 2], tail[len(tail) - len(tail) // 2 :]
        yield _with_output(record, head, tail, note)
    yield _with_output(record, "", "", note)


def without_output(record: Finished, note: str) -> Finished:
    """Return the end of an attempt without what its command wrote, and why."""
    return _with_output(record, "", "", note)


def _with_output(record: Finished, head: str, tail: str, note: str) -> Finished:
    omitted = record.omitted + _size(record.head) + _size(record.tail) - _size(head) - _size(tail)
    return record.derive(head=head, tail=tail, omitted=omitted, note=shortened(note))


def _with_fewer_attempts(record: Run) -> Iterator[Run]:
    attempts = record.attempts or []
    yield record.derive(attempts=[attempt.derive(note=None) for attempt in attempts])
    yield record.derive(attempts=None)


def _without_command(record: Run) -> Iterator[Run]:
    """Yield a run that can only fail, and says why, if no message has room for its command.

    No scheduler and no command of ours begins such a run: others have put it on a topic.
    """
    alone = record.derive(attempts=None)
    if len(encode(alone)) > MAX_RUN_BYTES:
        yield alone.derive(command=_GONE, env=None)


def _size(text: str) -> int:
    return len(text.encode(errors="replace"))
