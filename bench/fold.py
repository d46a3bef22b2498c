"""What the core costs for each entry: bytes to records, the fold of a log, records to bytes.

    python -m bench.fold [RUNS]

Each run has four entries, as a worker sees them: ``Run``, ``Claimed``, ``Started``, ``Finished``.
The plain loop beside it parses the same bytes and counts states in a dict: what Python takes at
least for going through such a log.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import orjson

from cronstream.core.ledger.fold import Ledger
from cronstream.core.wire.codec import decode_entries, encode_entries
from cronstream.core.wire.entries import Claimed, Entry, Finished, Started, Withdrawal
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.runs import Run

AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
#: Entries in one message, as batches are on a busy log.
_BATCH = 50


def entries(number: int, jobs: int = 1000) -> list[list[Entry]]:
    """Return messages: first the runs of all jobs, then what a worker says of them."""
    jobs = min(jobs, number)
    runs = [a_run(i % jobs, i // jobs) for i in range(number)]
    withdrawals: list[Entry] = [
        Withdrawal(job=f"job-{i}", revision=1, effective_from=AT) for i in range(jobs)
    ]
    messages = _batches([*withdrawals, *runs])
    version = {}
    for offset, message in enumerate(messages):
        version |= {entry.id: offset for entry in message if isinstance(entry, Run)}
    made = [kind(run, version[run.id]) for kind in (a_claim, a_start, a_finish) for run in runs]
    return messages + _batches(made)


def a_run(job: int, number: int) -> Run:
    due = AT + timedelta(seconds=number)
    return Run(
        job=f"job-{job}",
        cluster="a",
        scheduled_at=due,
        not_before=due,
        command="/usr/bin/true --quickly",
        revision=1,
        timeout_s=60.0,
    )


def a_claim(run: Run, version: int) -> Entry:
    return Claimed(run=run.id, version=version, worker="me", number=1)


def a_start(run: Run, version: int) -> Entry:
    return Started(run=run.id, claim=version, worker="me", started_at=run.not_before, pid=1)


def a_finish(run: Run, version: int) -> Entry:
    return Finished(
        run=run.id,
        claim=version,
        worker="me",
        outcome=Outcome.SUCCEEDED,
        started_at=run.not_before,
        ended_at=run.not_before + timedelta(milliseconds=3),
        exit_status=0,
        head="done\n",
    )


def _batches(every: list[Entry]) -> list[list[Entry]]:
    return [every[i : i + _BATCH] for i in range(0, len(every), _BATCH)]


def measure(number: int = 5000) -> dict[str, float]:
    """Entries a second of each step, and of the plain loop; and seconds in all for each run."""
    messages = entries(number)
    count = sum(map(len, messages))
    raw: list[bytes] = []
    encode = _timed(lambda: raw.extend(map(encode_entries, messages)))
    plain = _timed(lambda: _plain_loop(raw))
    decoded: list[list[Entry]] = []
    decode = _timed(lambda: decoded.extend(decode_entries(value)[0] for value in raw))
    ledger = Ledger(retry=False)

    def fold() -> None:
        for offset, some in enumerate(decoded):
            ledger.fold(offset, AT, some)
            ledger.book.news.clear()

    folded = _timed(fold)
    if ledger.book.live or ledger.book.refused:
        raise RuntimeError(
            f"{len(ledger.book.live)} runs have no verdict, refused {ledger.book.refused}"
        )
    return {
        "encode_per_s": round(count / encode),
        "decode_per_s": round(count / decode),
        "fold_per_s": round(count / folded),
        "decode_and_fold_per_s": round(count / (decode + folded)),
        "plain_per_s": round(count / plain),
        "us_per_run": round((encode + decode + folded) / number * 1e6, 1),
    }


def _plain_loop(raw: list[bytes]) -> None:
    state: dict[str, str] = {}
    kinds: Counter[str] = Counter()
    for value in raw:
        for item in orjson.loads(value):
            kind = item["__faust"]["ns"]
            kinds[kind] += 1
            state[item.get("run") or f"{item['job']}@{item.get('scheduled_at')}"] = kind


def _timed(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


if __name__ == "__main__":
    print(measure(int(sys.argv[1]) if len(sys.argv) > 1 else 5000))
