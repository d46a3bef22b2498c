"""The JSON Schema of a crontab, for editors: made from the models that check it.

Whatever the parser takes, the schema takes. It refuses what a schema can express: keys that are
not known or missing, types, choices, numbers out of range, the shape of names, lengths of time,
sizes and schedules; not what concerns several values (names that are there twice, unknown
clusters and calendars, schedules that can never be due). Draft 7, which all editors know.
"""

from typing import Any, Final, TypeAlias

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema
from pydantic_core import core_schema

from cronstream.core.crontab.model import ClusterModel, DefaultsModel, JobModel
from cronstream.core.crontab.schema_words import WORDS
from cronstream.core.limits import LONGEST_EXPECTED_S, LONGEST_S
from cronstream.core.schedule.duration import format_duration
from cronstream.core.wire.enumerations import Ending
from cronstream.core.wire.variables import SETTINGS

Schema: TypeAlias = dict[str, Any]

#: How a crontab names it, for the language server of VS Code and others.
MODELINE: Final = "# yaml-language-server: $schema=crontab.schema.json"

#: Not empty, and weeks, days, hours, minutes, seconds in that order (`parse_duration`).
_LENGTH: Final = (
    r"^(?=.)([0-9]{1,9}w)?([0-9]{1,9}d)?([0-9]{1,9}h)?([0-9]{1,9}m)?"
    r"([0-9]{1,9}(\.[0-9]{1,6})?s)?$"
)
_SIZE: Final = r"^[0-9]{1,15}[KMGT]?$"
#: A nickname, @every, @at; five fields or six.
_SCHEDULE: Final = r"^\s*(@\S.*|(\S+\s+){4,5}\S+)\s*$"
_TEXT: Final = {"type": "string", "minLength": 1}
_FILE: Final = {
    "type": "object",
    "properties": {"file": {"type": "string", "pattern": "^/"}},
    "required": ["file"],
    "additionalProperties": False,
}
_FROM: Final = {
    "type": "object",
    "properties": {"from": {"type": "string", "pattern": f"^(?!{'|'.join(SETTINGS)})[^=]+$"}},
    "required": ["from"],
    "additionalProperties": False,
}
_NAMES: Final[Schema] = {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]}
#: What a validator of the models takes, by its name.
_TAKEN: Final[dict[str, Schema]] = {
    "_duration": {
        "type": ["string", "number"],
        "pattern": _LENGTH,
        "minimum": 0,
        "maximum": LONGEST_S,
    },
    "bytes_of": {"type": ["string", "integer"], "pattern": _SIZE, "minimum": 1, "maximum": 1 << 52},
    "umask_of": {"type": "string", "pattern": "^0?[0-7]{3}$"},
    "user_of": {
        "type": ["string", "integer"],
        "pattern": r"^([A-Za-z_][A-Za-z0-9_.-]{0,31}\$?|[0-9]{1,10})$",
        "minimum": 0,
    },
    "command_of": {
        "anyOf": [
            {"type": "string", "pattern": r"\S"},
            {"type": "array", "items": {"type": "string"}, "minItems": 1},
        ]
    },
    "_texts": {"anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}]},
    "_exclusions": {"anyOf": [_TEXT, {"type": "array", "items": _TEXT}]},
    "_variable": {"anyOf": [{"type": "string"}, _FILE, _FROM]},
    "shell_of": {"anyOf": [_TEXT, {"type": "array", "items": {"type": "string"}, "minItems": 1}]},
    "names_of": {
        "anyOf": [
            _NAMES,
            {
                "type": "object",
                "properties": {str(on): _NAMES for on in Ending},
                "additionalProperties": False,
            },
        ]
    },
    "_place": {"anyOf": [_FILE, _FROM]},
    "_exit_statuses": {
        "anyOf": [
            {"const": "all"},
            {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 255}},
        ]
    },
}
#: What a validator adds to what one before it takes.
_NARROWED: Final[dict[str, Schema]] = {
    "_not_zero": {"exclusiveMinimum": 0},
    "_whole_seconds": {"minimum": 1, "multipleOf": 1},
    "_expectable": {"exclusiveMinimum": 0, "maximum": LONGEST_EXPECTED_S},
    "_job_name": {"pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$"},
    "_variable_name": {"pattern": "^[^=]+$"},
    "_folder": {"pattern": "^/"},
}
_SCHEDULES: Final = {"type": "string", "pattern": _SCHEDULE}
_MOMENT: Final = r"^(\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d)?)?)?$"
#: What the parser checks beside the models, by key.
_BESIDE: Final[dict[str, Schema]] = {
    "schedule": {
        "anyOf": [_SCHEDULES, {"type": "array", "items": _SCHEDULES, "minItems": 1}],
    },
    "start": {"type": ["string", "null"], "pattern": _MOMENT},
    "end": {"type": ["string", "null"], "pattern": _MOMENT},
    "timezone": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_+/-]*$"},
}
_CLUSTER: Final = {"type": "string", "pattern": "^[a-z0-9][a-z0-9-]{0,62}$"}
#: Of which the default is only how the models say that there is none.
_NO_DEFAULT: Final = ("cluster", "retry_on.exit_statuses")


class _Generator(GenerateJsonSchema):
    """Makes a schema of a model, with what its validators take for what they are."""

    def dict_schema(self, schema: core_schema.DictSchema) -> Schema:
        """Refuse names that do not have the form that is asked for."""
        found = super().dict_schema(schema)
        return found | ({"additionalProperties": False} if "patternProperties" in found else {})

    def function_plain_schema(self, schema: core_schema.PlainValidatorFunctionSchema) -> Schema:
        """Return what a validator takes that checks alone."""
        return dict(_TAKEN.get(_name_of(schema["function"]), {}))

    def function_before_schema(self, schema: core_schema.BeforeValidatorFunctionSchema) -> Schema:
        """Return what a validator takes that turns it into what the type is."""
        return dict(_TAKEN.get(_name_of(schema["function"]), {}))

    def function_after_schema(self, schema: core_schema.AfterValidatorFunctionSchema) -> Schema:
        """Return what is left of what the type takes."""
        return self.generate_inner(schema["schema"]) | _NARROWED.get(
            _name_of(schema["function"]), {}
        )


def crontab_schema() -> Schema:
    """Return the schema of a crontab as JSON takes it."""
    defaults = _model_schema(DefaultsModel)
    cluster = _model_schema(ClusterModel)
    cluster["type"] = ["object", "null"]
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "A crontab of cronstream",
        "description": "What is to be run, when, and by which workers.",
        "type": "object",
        "properties": {
            "version": {"description": "Always 1.", "const": 1},
            "clusters": _clusters(cluster),
            "calendars": _calendars(),
            "defaults": defaults
            | {"description": "What holds for every job that says nothing else."}
            | {"type": ["object", "null"]},
            "include": {
                "description": "Files with further jobs, by names or patterns, beside this one.",
                "examples": ["teams/*.yaml", ["billing.yaml", "teams/*.yaml"]],
                "anyOf": [_TEXT, {"type": "array", "items": _TEXT, "minItems": 1}],
            },
            "jobs": {
                "description": "The jobs; there may be none.",
                "type": ["array", "null"],
                "items": _job_schema(),
            },
            "allow_removals": {
                "description": "The mark, by 'cronstream plan', of a great removal that is meant.",
                "examples": ["7-jobs-3f9a12c4"],
                "type": ["string", "null"],
                "pattern": "^[1-9][0-9]*-jobs-[0-9a-f]{8}$",
            },
        },
        "required": ["version", "clusters"],
        "anyOf": [{"required": ["jobs"]}, {"required": ["include"]}],
        "additionalProperties": False,
    }


def _calendars() -> Schema:
    return {
        "description": "Lists of dates, ranges and schedules by name, for 'exclude'.",
        "examples": [{"holidays": ["2026-12-25", "2026-12-26"]}],
        "type": ["object", "null"],
        "propertyNames": {"pattern": "^[A-Za-z][A-Za-z0-9._-]{0,127}$"},
        "additionalProperties": {"type": "array", "items": _TEXT},
    }


def _clusters(settings: Schema) -> Schema:
    return {
        "description": "Names of sets of workers: a list, or a mapping with a description of each.",
        "examples": [["cluster-a"], {"cluster-a": {"description": "the machines in Berlin"}}],
        "anyOf": [
            {"type": "array", "items": _CLUSTER, "minItems": 1},
            {
                "type": "object",
                "minProperties": 1,
                "propertyNames": _CLUSTER,
                "additionalProperties": settings,
            },
        ],
    }


def _job_schema() -> Schema:
    """Return what a job is; one that another names under ``then`` needs no schedule."""
    found = _model_schema(JobModel)
    return found | {"required": [key for key in found["required"] if key != "schedule"]}


def _model_schema(model: type[BaseModel]) -> Schema:
    found = model.model_json_schema(schema_generator=_Generator)
    return _finished(found, found.pop("$defs", {}), "")


def _finished(schema: Schema, others: Schema, above: str) -> Schema:
    """Return a model's schema with what is said of its keys, and others in it where they belong."""
    properties = {}
    for key, said in schema["properties"].items():
        path = f"{above}{key}"
        if "$ref" in said:
            whole = _finished(others[said["$ref"].rpartition("/")[2]], others, f"{path}.")
        else:
            whole = {**said, **_BESIDE.get(path, {})}
        properties[key] = _described(path, whole)
    kept = {name: value for name, value in schema.items() if name != "title"}
    return {**kept, "properties": properties}


def _described(path: str, said: Schema) -> Schema:
    sentence, examples = WORDS.get(path, ("", ()))
    default = said.pop("default", None)
    said.pop("title", None)
    shown: Schema = {"description": sentence, "examples": list(examples)}
    if default is not None and path not in _NO_DEFAULT:
        is_length = "pattern" in said and isinstance(default, float)
        shown["default"] = format_duration(default) if is_length else default
    return shown | said


def _name_of(function: Any) -> str:
    return str(function["function"].__name__)
