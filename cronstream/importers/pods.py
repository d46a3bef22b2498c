"""The pod of a CronJob: what it runs, with which variables, and what a worker has to have."""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final

from ruamel.yaml.comments import CommentedMap

from cronstream.core.wire.variables import SETTINGS
from cronstream.importers.found import Draft, Lost
from cronstream.importers.words import set_words
from cronstream.importers.yaml_lines import line_of, listed, mapping, text_of

#: What a pod or a container has, and a job does not: what to do instead.
_OF_A_POD: Final = {
    "initContainers": "a run is one command; put what they do before it",
    "volumes": "mount what the command needs where its workers run",
    "serviceAccountName": "give the account to the pods of the workers",
    "serviceAccount": "give the account to the pods of the workers",
    "nodeSelector": "where a job runs is its cluster: start workers of one on those nodes",
    "affinity": "where a job runs is its cluster: start workers of one on those nodes",
    "tolerations": "where a job runs is its cluster: start workers of one on those nodes",
    "hostNetwork": "give the pods of the workers the host's network",
    "runtimeClassName": "give it to the pods of the workers",
    "priorityClassName": "give it to the pods of the workers",
}
_OF_A_CONTAINER: Final = {
    "resources": "give them to the pods of the workers; 'limits' limits each process",
    "envFrom": "name each variable under 'env', {from: NAME}, and give it to the workers",
    "lifecycle": "put what it does into the command",
    "stdin": "a command reads nothing; have it read a file",
}
#: What a security context has, and a job does not: what to do instead.
_GROUP: Final = "'user' has that user's own groups"
_OF_A_USER: Final = {"runAsGroup": _GROUP, "fsGroup": _GROUP, "supplementalGroups": _GROUP}
_REFERENCE: Final = re.compile(r"\$\$\(|\$\(([A-Za-z_.-][A-Za-z0-9_.-]*)\)")
#: A path, or a shell.
_PROGRAM: Final = re.compile(r"/|(?:ba|da|z|k|a)?sh$")
_NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: No number that Kubernetes takes is longer (an int64).
_DIGITS: Final = 19


def fill_command(draft: Draft, pod: CommentedMap) -> None:
    """Set what a job runs, and note what its workers have to have for it.

    Raises:
        Lost: If that is not in the manifest.
    """
    containers = [each for each in listed(pod, "containers") if isinstance(each, CommentedMap)]
    if not containers:
        raise Lost("it has no container")
    container = containers[0]
    if len(containers) > 1:
        name = text_of(container.get("name"))
        draft.note(
            f"of its {len(containers)} containers only {name!r} is carried over; "
            "a run is one command",
            line_of(pod, "containers"),
        )
    env = _env(draft, container)
    _set_words(draft, container, env)
    if env:
        draft.settings["env"] = env
    _set_place(draft, pod, container)
    for owner, known in ((pod, _OF_A_POD), (container, _OF_A_CONTAINER)):
        for key, remedy in known.items():
            if owner.get(key):
                draft.note(f"{key}: {remedy}", line_of(owner, key))
    image = text_of(container.get("image"))
    if image:
        draft.note(
            f"it ran in the image {image}; its workers need the programs of that",
            line_of(container, "image"),
        )


def _set_place(draft: Draft, pod: CommentedMap, container: CommentedMap) -> None:
    folder = text_of(container.get("workingDir"))
    if folder.startswith("/"):
        draft.settings["cwd"] = folder
    for owner in (container, pod):
        context = mapping(owner, "securityContext")
        user = whole_number(draft, context, "runAsUser")
        if user is not None:
            draft.settings.setdefault("user", user)
        _note_context(draft, context)


def _note_context(draft: Draft, context: CommentedMap) -> None:
    """Note what a security context says beside the user."""
    others = []
    for key in context:
        if key in _OF_A_USER:
            draft.note(f"{key}: {_OF_A_USER[key]}", line_of(context, key))
        elif key not in ("runAsUser", "runAsNonRoot"):
            others.append(key)
    if others:
        what = f"{', '.join(map(text_of, others))}: give it to the pods of the workers"
        draft.note(what, line_of(context, others[0]))


def whole_number(draft: Draft, owner: CommentedMap, key: str) -> int | None:
    """Return the number that stands under a key; what is none is noted.

    Text that is one is taken for it: Kubernetes refuses that.
    """
    value = owner.get(key)
    if value is None or (type(value) is not bool and isinstance(value, int) and value >= 0):
        return value
    said = text_of(value)
    is_number = said.isascii() and said.isdecimal() and len(said) < _DIGITS
    what = "is text, which Kubernetes refuses; it is taken for the number"
    wrong = "is no number that Kubernetes takes; it is left out"
    draft.note(f"{key} {said!r} {what if is_number else wrong}", line_of(owner, key))
    return int(said) if is_number else None


def _set_words(draft: Draft, container: CommentedMap, env: Mapping[str, Any]) -> None:
    command, args = listed(container, "command"), listed(container, "args")
    if not command and args and _PROGRAM.match(text_of(args[0])):
        draft.note(
            "it has arguments alone, and the first looks like a program: it is taken for one; see "
            "whether the image has an ENTRYPOINT",
            line_of(container, "args"),
        )
    elif not command:
        image = text_of(container.get("image"))
        what = "its arguments are in the manifest, its program" if args else "what it runs"
        raise Lost(
            f"{what} is in the image {image} alone (ENTRYPOINT); write the command out",
            line_of(container, "args" if args else None),
        )
    words = [text_of(word) for word in [*command, *args]]
    if any(name in env and not isinstance(env[name], str) for name in _references(words)):
        draft.settings["command"] = " ".join(_for_shell(word, env) for word in words)
        return
    set_words(draft.settings, [_replaced(word, env) for word in words])


def _references(words: Sequence[str]) -> set[str]:
    return {found[1] for word in words for found in _REFERENCE.finditer(word) if found[1]}


def _replaced(word: str, env: Mapping[str, Any]) -> str:
    """Return a word with the variables of its environment: Kubernetes leaves others as they are."""

    def value(found: re.Match[str]) -> str:
        if found[1] is None:
            return "$("
        return str(env[found[1]]) if found[1] in env else found[0]

    return _REFERENCE.sub(value, word)


def _for_shell(word: str, env: Mapping[str, Any]) -> str:
    """Return a word as a shell takes it, which then puts variables into it."""
    parts, last = [], 0
    for found in _REFERENCE.finditer(word):
        parts.append(shlex.quote(word[last : found.start()]) if last < found.start() else "")
        is_known = found[1] in env and _NAME.fullmatch(found[1])
        parts.append(f'"${{{found[1]}}}"' if is_known else shlex.quote(_replaced(found[0], env)))
        last = found.end()
    parts.append(shlex.quote(word[last:]) if last < len(word) or not word else "")
    return "".join(parts)


def _env(draft: Draft, container: CommentedMap) -> dict[str, Any]:
    env: dict[str, Any] = {}
    for item in listed(container, "env"):
        if not isinstance(item, CommentedMap) or not item.get("name"):
            continue
        name = text_of(item["name"])
        source = mapping(item, "valueFrom")
        if not source:
            env[name] = _composed(draft, name, text_of(item.get("value")), env, line_of(item))
            continue
        value = _elsewhere(draft, name, source, line_of(item))
        if value is not None:
            env[name] = value
    return env


def _composed(
    draft: Draft, name: str, text: str, env: Mapping[str, Any], line: int
) -> str | dict[str, str]:
    """Return a value that may have variables before it in it, which may be secrets."""
    secrets = sorted(each for each in _references([text]) if isinstance(env.get(each), dict))
    if not secrets or name.startswith(SETTINGS):
        return _replaced(text, env)
    draft.note(
        f"{name} is made of {', '.join(secrets)}, which stand elsewhere; give the workers the "
        f"variable {name} as a whole",
        line,
    )
    return {"from": name}


def _elsewhere(draft: Draft, name: str, source: CommentedMap, line: int) -> dict[str, str] | None:
    """Return where a value is that a secret or a map has: a variable of the worker's."""
    for kind, what in (("secretKeyRef", "secret"), ("configMapKeyRef", "config map")):
        named = mapping(source, kind)
        if named and not name.startswith(SETTINGS):
            draft.note(
                f"{name} is in the {what} {text_of(named.get('name'))!r}; give the workers the "
                f"variable {name}, or a file, and write {{file: PATH}}",
                line,
            )
            if named.get("optional"):
                remark = f"{name} is optional there; here a run without it fails"
                draft.note(remark, line_of(named, "optional"))
            return {"from": name}
    draft.note(f"{name} comes from {', '.join(source)}, which a command has no part in", line)
    return None
