"""The Prometheus operator's kinds, as far as the chart uses them: the form of each, as JSON Schema.

By hand, from its API (monitoring.coreos.com/v1): its own schemas come only with packages that bring
a client for Kubernetes along.
"""

from typing import Any

_TEXT = {"type": "string"}
_DURATION = {"type": "string", "pattern": "^([0-9]+(ms|s|m|h))+$"}
_LABELS = {"type": "object", "additionalProperties": _TEXT}
_NAMES = {"type": "array", "items": _TEXT}


def _closed(needed: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    form = {"type": "object", "additionalProperties": False, "properties": fields}
    return {**form, "required": list(needed)}


def _list_of(form: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": form}


_RELABELING = _closed(
    action={"enum": ["replace", "keep", "drop", "labelmap", "labeldrop", "labelkeep"]},
    sourceLabels=_NAMES,
    separator=_TEXT,
    targetLabel=_TEXT,
    regex=_TEXT,
    replacement=_TEXT,
)
_ENDPOINT = _closed(
    port=_TEXT,
    path=_TEXT,
    interval=_DURATION,
    scrapeTimeout=_DURATION,
    relabelings=_list_of(_RELABELING),
    metricRelabelings=_list_of(_RELABELING),
)
_SELECTOR = _closed(("matchLabels",), matchLabels=_LABELS)
_IN_NAMESPACES = _closed(matchNames=_NAMES)


def _kind(kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = _closed(("name",), name=_TEXT, namespace=_TEXT, labels=_LABELS)
    return _closed(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion={"const": "monitoring.coreos.com/v1"},
        kind={"const": kind},
        metadata=metadata,
        spec=spec,
    )


_RULE = {
    **_closed(
        ("expr",),
        record=_TEXT,
        alert=_TEXT,
        expr=_TEXT,
        labels=_LABELS,
        annotations=_LABELS,
        **{"for": _DURATION, "keep_firing_for": _DURATION},
    ),
    "oneOf": [{"required": ["record"]}, {"required": ["alert"]}],
}
_GROUP = _closed(("name", "rules"), name=_TEXT, interval=_DURATION, rules=_list_of(_RULE))

#: A schema for each kind.
KINDS: dict[str, dict[str, Any]] = {
    "PodMonitor": _kind(
        "PodMonitor",
        _closed(
            ("selector", "podMetricsEndpoints"),
            selector=_SELECTOR,
            namespaceSelector=_IN_NAMESPACES,
            podMetricsEndpoints=_list_of(_ENDPOINT),
        ),
    ),
    "PrometheusRule": _kind("PrometheusRule", _closed(("groups",), groups=_list_of(_GROUP))),
    "ServiceMonitor": _kind(
        "ServiceMonitor",
        _closed(
            ("selector", "endpoints"),
            selector=_SELECTOR,
            namespaceSelector=_IN_NAMESPACES,
            endpoints=_list_of(_ENDPOINT),
        ),
    ),
}
