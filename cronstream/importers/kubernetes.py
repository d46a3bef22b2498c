"""Manifests of Kubernetes: each CronJob of a file to a job.

The meaning of its fields is that of batch/v1 (kubernetes.io/docs, CronJob and Job). What
belongs to the pod (image, volumes, accounts) is a worker's, and noted.
"""

from collections.abc import Iterator
from typing import Final

from ruamel.yaml.comments import CommentedMap

from cronstream.core.limits import MAX_ATTEMPTS
from cronstream.importers.dialect import Dialect, split_zone, translate
from cronstream.importers.found import Draft, Found, Lost, Note, Source, length
from cronstream.importers.pods import fill_command, whole_number
from cronstream.importers.yaml_lines import (
    documents,
    line_of,
    listed,
    mapping,
    refuse_templates,
    text_of,
)

#: Kubernetes' own number (`DefaultJobBackoffLimit`), and its waits: 10 s, doubled up to 6 min.
_BACKOFF_LIMIT: Final = 6
_BACKOFF: Final = {"first": "10s", "ceiling": "6m"}
_OVERLAPS: Final = {"Allow": "allow", "Forbid": "skip", "Replace": "replace"}
_OF_A_JOB: Final = {
    "parallelism": "a run is one command; start the others from it, or write a job for each",
    "completions": "a run is one command; repeat it in a loop, or write a job for each",
    "podFailurePolicy": "write 'retry_on' with the exit statuses that are worth another attempt",
}
#: What is no text to Kubernetes, whose YAML is 1.1; or not there.
_YES_AND_NO: Final = ("", "yes", "no", "on", "off", "y", "n")
#: Under which a rendered manifest may have ``{{ … }}``, for programs that have templates too.
_WITH_TEMPLATES: Final = ("annotations", "command", "args", "value")


def read_kubernetes(source: Source) -> Found:
    """Return the jobs of a file of manifests.

    Raises:
        ForeignError: If it is no YAML, or a template that nobody has rendered.
    """
    found = Found()
    count = 0
    for manifest in _objects(source):
        is_one = manifest.get("kind") == "CronJob"
        # Of what is none only that is of interest.
        refuse_templates(source, manifest, _WITH_TEMPLATES if is_one else {*manifest} - {"kind"})
        if is_one:
            count += 1
            found += _job(source, manifest)
    if not count:
        found += Found((), (Note(source.name, 1, "there is no CronJob in it"),))
    return found


def _objects(source: Source) -> Iterator[CommentedMap]:
    """Yield each object of a file, of lists too."""
    waiting = list(documents(source))
    while waiting:
        one = waiting.pop(0)
        if isinstance(one, CommentedMap):
            yield one
            waiting[:0] = listed(one, "items")


def _job(source: Source, manifest: CommentedMap) -> Found:
    metadata, spec = mapping(manifest, "metadata"), mapping(manifest, "spec")
    title = text_of(metadata.get("name") or metadata.get("generateName")) or "cronjob"
    draft = Draft(source.name, line_of(manifest), title)
    try:
        _fill(draft, spec)
        job = mapping(mapping(spec, "jobTemplate"), "spec")
        _fill_attempts(draft, job)
        _fill_times(draft, job)
        pod = mapping(mapping(job, "template"), "spec")
        fill_command(draft, pod)
    except Lost as lost:
        return draft.lost(lost)
    return Found((draft.finished(),))


def _fill(draft: Draft, spec: CommentedMap) -> None:
    """Set when it is due, and what becomes of runs that meet or are missed."""
    line = line_of(spec, "schedule")
    if not isinstance(spec.get("schedule"), str):
        raise Lost("it has no schedule", line)
    zone, text = split_zone(spec["schedule"])
    try:
        expression = translate(text, Dialect.ROBFIG)
        draft.due([expression.text], text_of(spec.get("timeZone")) or zone)
    except Lost as lost:
        raise Lost(str(lost), line) from None
    for remark in expression.remarks:
        draft.note(remark, line)
    _fill_overlap(draft, spec)
    deadline = whole_number(draft, spec, "startingDeadlineSeconds")
    if deadline:
        draft.settings["missed_grace"] = length(deadline)
    else:  # However late, the last time that was missed is made up for.
        draft.settings["missed"] = "once"
    if _is_suspended(draft, spec):
        draft.settings["enabled"] = False


def _fill_overlap(draft: Draft, spec: CommentedMap) -> None:
    policy = text_of(spec.get("concurrencyPolicy")) or "Allow"
    if policy not in _OVERLAPS:
        what = f"concurrencyPolicy {policy!r} is not Allow, Forbid or Replace; write 'overlap'"
        draft.note(what, line_of(spec, "concurrencyPolicy"))
    elif policy != "Allow":
        draft.settings["overlap"] = _OVERLAPS[policy]


def _is_suspended(draft: Draft, spec: CommentedMap) -> bool:
    said = text_of(spec.get("suspend"))
    if type(spec.get("suspend")) is not bool and said.lower() not in _YES_AND_NO:
        what = f"suspend {said!r} is text, which Kubernetes refuses; it is taken for what it says"
        draft.note(what, line_of(spec, "suspend"))
    return said.lower() in ("true", "yes", "on", "y")


def _fill_attempts(draft: Draft, job: CommentedMap) -> None:
    """Set how often a run may fail."""
    given = whole_number(draft, job, "backoffLimit")
    attempts = 1 + (_BACKOFF_LIMIT if given is None else given)
    if attempts > MAX_ATTEMPTS:
        draft.note(
            f"backoffLimit {given} is more than {MAX_ATTEMPTS} attempts",
            line_of(job, "backoffLimit"),
        )
    if attempts > 1:
        draft.settings["max_attempts"] = min(attempts, MAX_ATTEMPTS)
        draft.settings["backoff"] = dict(_BACKOFF)
    for key, remedy in _OF_A_JOB.items():
        if job.get(key) not in (None, 1):
            draft.note(f"{key}: {remedy}", line_of(job, key))


def _fill_times(draft: Draft, job: CommentedMap) -> None:
    """Set how long an attempt may take, and how long it has to end."""
    pod = mapping(mapping(job, "template"), "spec")
    for owner in (pod, job):
        seconds = whole_number(draft, owner, "activeDeadlineSeconds")
        if seconds:
            draft.settings["timeout"] = length(seconds)
    if "max_attempts" in draft.settings and job.get("activeDeadlineSeconds"):
        line = line_of(job, "activeDeadlineSeconds")
        draft.note("activeDeadlineSeconds was for all attempts; timeout is for each", line)
    grace = whole_number(draft, pod, "terminationGracePeriodSeconds")
    if grace is not None:
        draft.settings["grace"] = length(grace)
