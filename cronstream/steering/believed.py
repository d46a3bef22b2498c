"""Whether those who are to run something will believe who asks: better known before."""

from collections.abc import Callable, Iterable

from cronstream.core.health.presence import Presence
from cronstream.core.health.trusted import strangers_to
from cronstream.core.trust.judging import Judgement, Standing
from cronstream.core.wire.control import Control
from cronstream.core.wire.levels import KINDS
from cronstream.core.wire.naming import RoleKind
from cronstream.core.wire.runs import Run
from cronstream.errors import BrokerError, KeysError
from cronstream.history.roll import roll_now
from cronstream.history.scope import LogReader
from cronstream.settings import settings
from cronstream.trust.keyring import judge_for_command
from cronstream.trust.signer import Signer


async def see_that_it_is_believed(reader: LogReader, clusters: set[str], key: str | None) -> None:
    """See that the workers of some clusters will run what is signed by a key, or by none.

    Raises:
        KeysError: If they will not; the sentence says what to do.
    """
    roll = await roll_now(reader)
    there = [seen.who for seen in roll.present() if seen.who.cluster in clusters]
    if key is None:
        _see_that_none_requires(there)
    elif doubt := strangers_to(key, there):
        raise KeysError(
            f"this process signs by key {key}, and {doubt} not trust it: nothing was published; "
            "add the line of this key to the file that CRONSTREAM_TRUSTED_KEYS names there"
        )


async def see_that_schedulers_believe(reader: LogReader, control: Control) -> None:
    """See that the schedulers that are there know what is asked, and will believe it.

    Raises:
        KeysError: If they will not; the sentence says what to do.
        BrokerError: If one is of a version that does not know it.
    """
    roll = await roll_now(reader)
    there = [who.who for who in roll.present() if who.who.role is RoleKind.SCHEDULER]
    if old := next((who for who in there if who.level < KINDS[Control]), None):
        raise BrokerError(
            f"{old} is of level {old.level}, and a pause needs {KINDS[Control]}: upgrade it first "
            "(docs/upgrading.md); nothing was published"
        )
    signer = Signer(settings(), at_once=True)
    if signer.id is None:
        _see_that_none_requires(there)
        return
    judged = judge_for_command(settings())(signer.sign(control))
    if judged.standing is not Standing.TRUSTED:
        raise KeysError(f"that would not count: {judged.why}; nothing was published")
    if doubt := strangers_to(signer.id, there):
        raise KeysError(
            f"this process signs by key {signer.id}, and {doubt} not trust it: nothing was "
            "published; add the line of this key to the file that CRONSTREAM_TRUSTED_KEYS names "
            "there"
        )


def see_that_it_may(runs: Iterable[Run], signer: Signer, judge: Callable[[Run], Judgement]) -> None:
    """See that a key may sign what is asked for, by its own line in the file of trusted keys.

    Raises:
        KeysError: If it may not: workers would refuse each of the runs.
    """
    for run in runs if signer.id is not None else ():
        judged = judge(signer.sign(run))
        if judged.standing is not Standing.TRUSTED:
            raise KeysError(f"run {run.id} would not be made: {judged.why}; nothing was published")


def _see_that_none_requires(there: list[Presence]) -> None:
    if who := next((who for who in there if who.requires_signatures), None):
        raise KeysError(
            f"{who} runs only what is signed (CRONSTREAM_SIGNATURES=require): nothing was "
            "published; name the file of your key with CRONSTREAM_SIGNING_KEY ('cronstream keys "
            "new' makes one)"
        )
