"""What messages of ``jobs`` say, decoded once in a process, though several there read them.

Of 100,000 jobs decoding takes longer than all else that is done with them, and two copies of each
would be there for a while. Who has put a message there knows what it says, too.
"""

from collections import OrderedDict
from collections.abc import Sequence
from hashlib import sha256
from typing import Final

from cronstream.core.wire.job_messages import decode_jobs, is_readable
from cronstream.core.wire.messages import Message
from cronstream.core.wire.runs import Job

#: A smaller message is decoded as fast as it is looked for.
_LEAST: Final = 4096
#: No more messages are kept than these: of the last 100,000 jobs.
_MOST: Final = 256
#: So many read each message: what all of the topic says, and the shard whose jobs it has.
_READERS: Final = 2


class Decoded:
    """Keeps what large messages say until all have read them."""

    def __init__(self) -> None:
        #: By the digest of the message: its jobs, why others were refused, and who is to read it.
        self._of: OrderedDict[bytes, tuple[list[Job], list[str], int]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._of)

    def jobs_of(self, raw: bytes | None) -> tuple[list[Job], list[str]]:
        """Return what `decode_jobs` does; whoever gets it changes nothing of it.

        Raises:
            LevelError: As `decode_jobs` does.
        """
        if raw is None or len(raw) < _LEAST:
            return decode_jobs(raw)
        key = sha256(raw).digest()
        if key not in self._of:
            self._keep(key, *decode_jobs(raw), _READERS)
        jobs, refused, readers = self._of.pop(key)
        if readers > 1:
            self._keep(key, jobs, refused, readers - 1)
        return jobs, refused

    def note(self, raw: bytes, records: Sequence[Message]) -> None:
        """Keep what a message says that this process has put there."""
        jobs = [record for record in records if isinstance(record, Job) and is_readable(record)]
        if len(raw) >= _LEAST and len(jobs) == len(records) > 0:
            self._keep(sha256(raw).digest(), jobs, [], _READERS)

    def _keep(self, key: bytes, jobs: list[Job], refused: list[str], readers: int) -> None:
        self._of[key] = jobs, refused, readers
        while len(self._of) > _MOST:
            self._of.popitem(last=False)
