"""What commands get of their worker's environment, where secrets are, and how they are confined."""

import pytest

from cronstream.core.wire.codec import decode, encode, to_json
from cronstream.core.wire.confinement import Confinement
from cronstream.core.wire.levels import lowered, needed_level
from cronstream.core.wire.runs import Run
from cronstream.core.wire.variables import Secret, for_commands, without_settings
from cronstream.errors import MessageError
from tests.builders import a_run

OURS = {"PATH": "p", "LC_ALL": "l", "LC": "c", "CRONSTREAM_BROKER": "b", "F_DATADIR": "d"}


def test_commands_get_what_is_listed_and_no_setting_whatever_is() -> None:
    assert for_commands(OURS, ["PATH", "LC_*"]) == {"PATH": "p", "LC_ALL": "l"}
    assert for_commands(OURS, ["*"]) == without_settings(OURS) == {"PATH": "p", **_LC}
    assert for_commands(OURS, [""]) == for_commands(OURS, ["CRONSTREAM_*", "F_DATADIR"]) == {}


_LC = {"LC_ALL": "l", "LC": "c"}


def test_where_a_secret_is_comes_back_as_it_was() -> None:
    for secret in (Secret("file", "/a:b"), Secret("from", "TOKEN")):
        assert Secret.of(str(secret)) == secret


def test_a_run_with_secrets_or_limits_needs_level_3_and_is_never_lowered() -> None:
    for fields in ({"secrets": {"T": "from:T"}}, {"confinement": Confinement(user="nobody")}):
        run = a_run(**fields)
        assert needed_level(run) == to_json(run)["v"] == 3
        assert lowered(run, 1) is run
        assert decode(encode(run), Run) == run
    assert needed_level(a_run()) == 1


@pytest.mark.parametrize(
    "fields", [{"umask": -1}, {"umask": 0o1000}, {"user": ""}, {"files": 0}, {"cpu_s": -5}]
)
def test_a_confinement_that_no_system_takes_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(MessageError, match="out of range"):
        Confinement(**fields)  # type: ignore[arg-type]
