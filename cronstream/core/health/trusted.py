"""What processes say of the keys that they trust, and who may sign with which."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

from cronstream.core.health.presence import Presence


def why_not_to_sign(key: str, present: Iterable[Presence], former: str | None = None) -> str:
    """Return why a scheduler does not sign with a key yet; empty if it is to sign.

    What is signed with a key that somebody does not know waits there, and jobs do not count. So
    while what is not signed is taken, nobody signs until all know the key; once that is refused,
    waiting is better, unless there is a former key that all know.

    Args:
        key: Its id.
        present: Who is there.
        former: The id of the key that it signs with until then.
    """
    there = list(present)
    has_former = former is not None and not strangers_to(former, there)
    if not has_former and any(who.requires_signatures for who in there):
        return ""
    doubt = strangers_to(key, there)
    if not doubt:
        return ""
    return (
        f"nothing is signed by key {key} yet, for {doubt} not trust it: add its line to the file "
        "that CRONSTREAM_TRUSTED_KEYS names there"
    )


def strangers_to(key: str, present: Iterable[Presence]) -> str:
    """Return who judges signatures and does not trust a key, with the verb; empty if nobody."""
    found = [who for who in present if who.trusts is not None and key not in who.trusts]
    if not found:
        return ""
    names = " and ".join(map(str, found[:2]))
    if len(found) > 2:
        names = f"{names} and {len(found) - 2} more"
    return f"{names} {'does' if len(found) == 1 else 'do'}"


def warnings(present: Iterable[Presence]) -> Iterator[str]:
    """Yield a sentence for each thing about keys in which processes differ."""
    there = list(present)
    requiring = [who for who in there if who.requires_signatures]
    if requiring and len(requiring) < len(there):
        other = next(who for who in there if not who.requires_signatures)
        yield (
            f"CRONSTREAM_SIGNATURES is require in {requiring[0]} and not in {other}: what is not "
            "signed runs on some workers only; set one value in all processes"
        )
    by_keys = defaultdict[str, list[Presence]](list)
    for who in there:
        if who.trusts is not None:
            by_keys[",".join(sorted(who.trusts))].append(who)
    if len(by_keys) > 1:
        first, second = (found[0] for found in list(by_keys.values())[:2])
        lacking = sorted(set(first.trusts or ()) ^ set(second.trusts or ()))
        yield (
            f"key {lacking[0]} is trusted in one of {first} and {second} only: give all "
            "processes the same file of trusted keys"
        )
