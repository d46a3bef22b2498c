"""What a value of several kinds is read as."""

import types

import pytest

from cronstream.core.wire.values import union_reader


def _number(value: object) -> int:
    if not isinstance(value, int):
        raise TypeError("no number")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


@pytest.mark.parametrize("value", [None, 3, "three"])
def test_a_value_of_one_of_several_kinds_may_be_left_out(value: object) -> None:
    read = union_reader((_number, _text), (int, str, types.NoneType))

    assert read(value) == value


def test_a_value_of_none_of_its_kinds_is_refused() -> None:
    with pytest.raises(TypeError):
        union_reader((_number, _text), (int, str))(None)
