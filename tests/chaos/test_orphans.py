import pytest

from chaos.judge import Wrong
from chaos.orphans import orphans
from tests.chaos.evidence import a_story, after, an_execution, evidence


@pytest.mark.parametrize(
    ("end_s", "gone_s", "is_orphan"),
    [
        pytest.param(20.0, 1.0, True, id="it came to its end long after its worker"),
        pytest.param(20.0, 16.0, False, id="it was still being ended"),
        pytest.param(None, 1.0, False, id="it was ended"),
        pytest.param(20.0, None, False, id="its worker lives"),
    ],
)
def test_a_command_that_goes_on_without_its_worker_is_an_orphan(
    end_s: float | None, gone_s: float | None, is_orphan: bool
) -> None:
    ends = {} if gone_s is None else {"w.1": after(gone_s)}
    known = evidence(an_execution(1, 0.0, end_s), story=a_story(), ends=ends)
    assert [finding.wrong for finding in orphans(known)] == [Wrong.ORPHAN] * is_orphan
