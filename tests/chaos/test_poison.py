import pytest

from chaos.poison import MALFORMED
from cronstream.core.wire.codec import decode_entries


@pytest.mark.parametrize("raw", MALFORMED, ids=range(len(MALFORMED)))
def test_each_malformed_message_is_refused_whole(raw: bytes | None) -> None:
    entries, refused = decode_entries(raw)
    assert not entries
    assert refused


def test_no_kind_is_there_twice() -> None:
    assert len(set(MALFORMED)) == len(MALFORMED)
