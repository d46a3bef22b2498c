import pytest
from hypothesis import given
from hypothesis import strategies as st

from cronstream.executor.protocol import (
    Cancel,
    Cancelled,
    End,
    Finished,
    Go,
    Kept,
    Lease,
    Lines,
    Order,
    Report,
    Started,
    decode_order,
    decode_report,
    encode,
)
from tests.executor.witness import a_hold


@pytest.mark.parametrize(
    "order",
    [
        a_hold("echo 'a\nb' é"),
        a_hold(["printf", "%s", "\n"], env={"A": "1"}, cwd="/", timeout_s=1.5, go=False),
        Go("k"),
        Cancel("k"),
        End("k", None),
        Lease("p", 12.5),
    ],
)
def test_an_order_comes_over_as_it_was_told(order: Order) -> None:
    line = encode([order])
    assert line.count(b"\n") == 1
    assert decode_order(line) == order


@pytest.mark.parametrize(
    "report",
    [
        Started("k", 1.25, 7),
        Finished("k", "failed", None, 2.5, 127, None, "a\n", "", 0, "no such file"),
        Cancelled("k"),
        Kept("k"),
    ],
)
def test_a_report_comes_over_as_it_was_told(report: Report) -> None:
    assert decode_report(encode([report])) == report


@pytest.mark.parametrize(
    "line", [b"", b"{}", b"[1]", b'["Nothing",{}]', b'["Go",{}]', b'["Go",{"key":"k","x":1}]', b"["]
)
def test_a_line_that_is_no_order_is_refused_and_shown(line: bytes) -> None:
    with pytest.raises(ValueError, match="not a line of this protocol"):
        decode_order(line)


def test_an_order_is_no_report() -> None:
    with pytest.raises(ValueError, match="not a line"):
        decode_report(encode([Go("k")]))


@given(st.lists(st.binary(max_size=5).map(lambda b: b.replace(b"\n", b"")), max_size=6), st.data())
def test_lines_come_whole_however_they_are_cut(lines: list[bytes], draw: st.DataObject) -> None:
    data = b"".join(line + b"\n" for line in lines)
    cut = draw.draw(st.integers(0, len(data)))
    reader = Lines()
    assert reader.feed(data[:cut]) + reader.feed(data[cut:]) == lines
