"""From what a crontab says of a job to the job as it is published."""

from typing import Any, Final

from cronstream.core.crontab.model import LimitsModel
from cronstream.core.crontab.shell import in_shell
from cronstream.core.wire.enumerations import Background, Delivery, Missed, Overlap
from cronstream.core.wire.runs import Job
from cronstream.core.wire.variables import Secret

#: Settings that are lengths of time.
_LENGTHS: Final = frozenset(
    {"timeout", "grace", "drain", "missed_grace", "start_within", "expect_within"}
)
#: Settings that are one of a few words.
_CHOICES: Final = {
    "background": Background,
    "delivery": Delivery,
    "overlap": Overlap,
    "missed": Missed,
}


def job_of(settings: dict[str, Any]) -> Job:
    """Return the job as it is published, from checked settings under the file's names."""
    fields = _lengths_of(settings)
    _name_secrets(fields)
    fields["command"] = in_shell(
        fields.pop("shell", None),
        fields["command"],
        takes_args=fields.get("allow_args", False),
    )
    limits = fields.pop("limits", LimitsModel())
    fields["confinement"] = limits.record(fields.pop("user", None), fields.pop("umask", None))
    if "timezone" in fields:
        # To its command it is the time of the place that its schedule is in, unless it says else.
        fields["env"] = {"TZ": fields["timezone"]} | (fields.get("env") or {})
    for name in ("backoff", "retry_on", "ping"):
        if name in fields:
            fields[name] = fields[name].record()
    for name in ("on_success", "on_discard"):
        if fields.get(name) is not None:
            fields[name] = str(fields[name])
    for name, kind in _CHOICES.items():
        if name in fields:
            fields[name] = kind(fields[name])
    said = {name: value for name, value in fields.items() if value is not None}
    return Job(**{"cluster": "", "timezone": "UTC", **said})


def _lengths_of(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings with lengths of time under their names in the job."""
    fields = {f"{x}_s" if x in _LENGTHS else x: value for x, value in settings.items()}
    if fields.pop("on_stop", None) == "interrupt":
        fields["drain_s"] = 0.0
    return fields


def _name_secrets(fields: dict[str, Any]) -> None:
    """Move what is only named in ``env`` to where runs have it."""
    env = fields.pop("env", None) or {}
    named = {name: str(value) for name, value in env.items() if isinstance(value, Secret)}
    plain_ones = {name: value for name, value in env.items() if name not in named}
    fields["env"], fields["secrets"] = plain_ones or None, named or None
