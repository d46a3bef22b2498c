"""Places of runs that wait for a claim, where nobody owns the fold."""

from cronstream.core.ledger.places import waits_at
from tests.ledger_builders import Told, due


def test_places_of_what_has_ended_do_not_heap_up_where_nobody_claims() -> None:
    told = Told()
    waits = due(0.5)
    told.tell(waits)
    for number in range(1, 2_500):
        told.tell(due(number))
        told.finish(due(number))

    book = told.ledger.book
    assert len(book.waiting) < 1_100
    assert [one for one in book.waiting if waits_at(one, book.live)] == [
        (waits.not_before, 1, waits.id)
    ]
