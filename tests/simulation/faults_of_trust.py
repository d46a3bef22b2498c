"""What if rule 21 were broken? Planted faults."""

from typing import Any

from cronstream.core.ledger import arrivals, endings, retry
from cronstream.core.protocol.claiming import Claimer
from cronstream.core.protocol.member import Member
from cronstream.core.protocol.trusting import Trusting
from cronstream.core.wire.enumerations import Outcome
from cronstream.core.wire.runs import Attempt, Run
from tests.simulation.planting import fault


@fault("21: what is refused is started all the same", Claimer, "_trusts")
def _trusts_all(_member: Member, *_: Any) -> bool:
    return True


@fault("21: what is refused is announced as started", Trusting, "believes")
def _believes_all(_trusting: Trusting, _run: Run) -> bool:
    return True


@fault("21: what is refused is tried again", endings, "decide")
def _refusals_are_failures(run: Run, attempt: Attempt) -> Any:
    if attempt.outcome is Outcome.REFUSED:
        attempt = attempt.derive(outcome=Outcome.FAILED)
    return retry.decide(run, attempt)


@fault("21: what waits for a key is never looked at again", Member, "look_again")
def _never_looks_again(_member: Member) -> None:
    return


@fault("10: a later attempt may have more attempts left", arrivals, "_has_too_many_left")
def _counts_nothing(*_: Any) -> bool:
    return False


@fault("10: an attempt may follow a verdict", arrivals, "_is_over")
def _is_never_over(_book: Any, _run: Run) -> bool:
    return False
