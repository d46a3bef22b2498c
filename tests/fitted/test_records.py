"""Records are plain where Faust is not loaded, and Faust's where it is."""

import subprocess
import sys
from typing import Any

import faust
import orjson
import pytest
from faust.models.base import registry

from cronstream.core.wire.entries import Finished
from cronstream.core.wire.runs import Backoff, Run
from cronstream.fitted.to_faust.records import kinds, make_records_of_faust

make_records_of_faust()
KINDS: list[Any] = list(kinds())


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_faust_knows_each_kind_by_its_namespace_its_fields_and_their_defaults(kind: Any) -> None:
    assert issubclass(kind, faust.Record)
    assert registry[kind.namespace] is kind
    assert kind.namespace == f"cronstream.{kind.__name__}"
    assert list(kind._options.fields) == list(kind.fields) == list(kind.__annotations__)
    assert kind._options.defaults == kind.defaults


def test_faust_writes_a_record_as_it_does_its_own() -> None:
    written: Any = Backoff(first_s=3.0)
    fields = {"first_s": 3.0, "factor": 2.0, "ceiling_s": 3600.0, "jitter": 0.1}
    assert orjson.loads(written.dumps()) == {**fields, "__faust": {"ns": "cronstream.Backoff"}}


def test_a_record_made_before_faust_was_there_is_as_one_made_after() -> None:
    script = (
        "import sys\n"
        "from cronstream.core.wire.runs import Backoff\n"
        "before, said = Backoff(first_s=3.0), repr(Backoff(first_s=3.0))\n"
        "assert 'faust' not in sys.modules\n"
        "import cronstream.application, faust\n"
        "after = Backoff(first_s=3.0)\n"
        "assert isinstance(before, faust.Record) and isinstance(after, faust.Record)\n"
        "assert before == after and not before != after and hash(before) == hash(after)\n"
        "assert repr(before) == repr(after) == said\n"
        "assert Backoff.__init__ is Backoff.__mro__[1].__init__, 'else Faust makes one for each'\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=120)


def test_a_field_that_may_be_none_is_none_if_it_is_not_given() -> None:
    kind: Any = Finished
    assert kind.defaults["started_at"] is None
    assert "ended_at" not in kind.defaults
    assert Run.__annotations__.keys() == Run.fields.keys()
