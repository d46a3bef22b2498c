import pytest

from cronstream.core.trust.keys import key_id, parse_trusted
from cronstream.errors import KeysError
from tests.signing import a_key, trusted

KEY = a_key()
LINE = trusted(KEY, name="the scheduler").line()


def test_a_line_is_read_as_it_was_written() -> None:
    some = trusted(a_key(2), "run-now", "replay", clusters=frozenset({"b", "a"}))
    text = f"# who may ask for runs\n\n{LINE}\n  {some.line()}\n"

    assert parse_trusted(text) == {KEY.id: trusted(KEY, name="the scheduler"), some.id: some}
    assert some.line().split()[2:] == ["replay,run-now", "a,b"]
    assert str(some) == some.id
    assert str(trusted(KEY, name="bob")) == f"{KEY.id} (bob)"


def test_the_id_of_a_key_is_made_from_the_key() -> None:
    assert key_id(b"\0" * 32) == "66687aadf862bd77"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("abc", "line 2: write ID PUBLIC-KEY CAUSES CLUSTERS"),
        (f"{KEY.id} not-base64! * *", "line 2: the public key is not base64"),
        (f"{KEY.id} zM7J…= * *", "line 2: the public key is not base64"),
        (f"{KEY.id} AAAA * *", "line 2: an ed25519 public key has 32 bytes, and this 3"),
        (LINE.replace(KEY.id, a_key(2).id), f"line 2: the id of this key is {KEY.id}, not"),
        (
            LINE.replace("*", "sudo", 1),
            "line 2: 'sudo' is no cause; there are backfill, cha",
        ),
        (LINE.replace("* *", "* Cluster-A"), "line 2: cluster name 'Cluster-A' must be"),
        (f"{LINE}\n{LINE}", f"line 3: key {KEY.id} stands there twice"),
    ],
)
def test_a_line_that_cannot_be_read_is_refused_with_its_number(line: str, why: str) -> None:
    with pytest.raises(KeysError) as caught:
        parse_trusted(f"# keys\n{line}\n")

    assert str(caught.value).startswith(why)
