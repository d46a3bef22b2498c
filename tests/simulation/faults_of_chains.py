"""What if runs that follow others were lost, came twice, or followed a skip? Planted faults."""

from collections.abc import Iterator
from itertools import count
from typing import Any

from cronstream.core.ledger import arrivals, following, settling, verdicts
from cronstream.core.ledger.book import Book
from cronstream.core.ledger.rules import RULES
from cronstream.core.ledger.state import LiveRun
from cronstream.core.protocol import owner
from cronstream.core.protocol.actions import Publish
from cronstream.core.protocol.owner import Owner
from cronstream.core.wire.entries import Skipped
from cronstream.core.wire.enumerations import Verdict
from cronstream.core.wire.runs import Following, Run
from tests.simulation.handing_over import HandingOver
from tests.simulation.log import Log
from tests.simulation.planting import fault

_LOST = "24: a verdict stands before what follows it is published"
_SKIPPED = "24: a run follows one that was skipped"
_effects, _skipped = Owner.effects, settling.skipped


def _remembered(book: Book) -> list[tuple[LiveRun, list[Run]]]:
    memory: list[tuple[LiveRun, list[Run]]] = vars(book).setdefault("remembered", [])
    return memory


@fault(_LOST, verdicts, "succeed")
def _settled_at_once(book: Book, live: LiveRun, reason: str) -> None:
    follow = following.to_publish(live, Verdict.SUCCEEDED, book.at)
    _remembered(book).append((live, follow))
    verdicts.settle(book, live, Verdict.SUCCEEDED, reason)


@fault(_SKIPPED, RULES, Skipped)
def _followed_all_the_same(book: Book, entry: Skipped) -> None:
    live = book.live.get(entry.run)
    _skipped(book, entry)
    if live is not None and entry.run not in book.live:
        _remembered(book).append((live, following.to_publish(live, Verdict.DISCARDED, book.at)))


@fault(_LOST, Owner, "effects")
@fault(_SKIPPED, Owner, "effects")
def _published_from_memory(owner_: Owner, *now: Any) -> Iterator[Publish]:
    yield from _effects(owner_, *now)
    memory = _remembered(owner_.ledger.book)
    for live, follow in memory:
        sent = tuple((owner_.topics.log, run) for run in follow)
        if sent:
            run = live.run
            yield Publish(owner_.partition, run.id, live.version, run.job, sent, False)
    memory.clear()


_numbers = count(1)


@fault("24: what follows has another number each time", owner, "to_publish")
def _numbered_by_chance(*about: Any) -> list[Run]:
    found = following.to_publish(*about)
    return [run.derive(number=next(_numbers)) for run in found]


@fault("24: nothing follows what the retry log has settled", settling, "following")
def _forgotten_after_retries(_run: Run, _verdict: Verdict) -> list[Following]:
    return []


@fault("24: what was read counts as handed over before it is there", HandingOver, "handed_over")
def _too_soon(handing: HandingOver, log: Log) -> int:
    return min(_handed_over(handing, log) + 1, len(log.messages))


@fault("24: what is handed over twice is made twice", arrivals, "_with_cause")
def _not_known(book: Book, run: Run) -> None:
    is_handed_over = run.previous is not None and run.previous.cluster is not None
    if is_handed_over and run.id not in book.live:
        verdicts.enter_with_cause(book, run)
    else:
        _with_cause(book, run)


@fault("24: what is to be handed over is put nowhere", Owner, "_home_of")
def _nowhere(owner_: Owner, follower: Run, run: Run) -> str:
    return "lost" if follower.cluster != run.cluster else owner_.topics.log


_handed_over, _with_cause = HandingOver.handed_over, arrivals._with_cause
