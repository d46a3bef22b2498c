from cronstream.core.health.trusted import strangers_to, warnings, why_not_to_sign
from tests.core.health.test_presence import a_process

BLIND = a_process(name="n.1")
ONE = a_process(name="n.2", trusts=["a", "b"])
OTHER = a_process(name="n.3", trusts=["a"])
STRICT = a_process(name="n.4", trusts=["a"], requires_signatures=True)


def test_who_judges_nothing_is_no_stranger_to_a_key() -> None:
    assert strangers_to("b", [BLIND, ONE]) == ""
    assert strangers_to("b", [OTHER]) == f"{OTHER} does"
    assert strangers_to("c", [ONE, OTHER]) == f"{ONE} and {OTHER} do"
    assert strangers_to("c", [ONE, OTHER, STRICT]) == f"{ONE} and {OTHER} and 1 more do"


def test_nobody_signs_with_a_key_that_not_all_trust_unless_signatures_are_required() -> None:
    assert why_not_to_sign("a", [BLIND, ONE, OTHER]) == ""
    assert "does not trust it" in why_not_to_sign("b", [ONE, OTHER])
    assert why_not_to_sign("b", [ONE, OTHER, STRICT]) == ""


def test_a_former_key_that_all_trust_is_used_until_all_trust_the_new_one() -> None:
    assert "does not trust it" in why_not_to_sign("b", [ONE, STRICT], former="a")
    assert why_not_to_sign("b", [ONE, STRICT], former="gone") == ""


def test_what_differs_is_a_warning() -> None:
    assert not list(warnings([BLIND, ONE]))
    [strict] = warnings([OTHER, STRICT])
    assert strict.startswith(f"CRONSTREAM_SIGNATURES is require in {STRICT} and not in {OTHER}: ")
    [unlike] = warnings([BLIND, ONE, OTHER])
    assert unlike.startswith(f"key b is trusted in one of {ONE} and {OTHER} only: ")
