"""Names for jobs that had none: from what they run, each once, and the same at each import."""

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Final

from cronstream.importers.found import FoundJob

_LONGEST: Final = 100
#: What stands between quotes is one piece, and what divides commands is another.
_PIECES: Final = re.compile(
    r"""'[^']*'|"(?:[^"\\]|\\.)*"|\\.|(?P<between>&&|\|\||[;|\n])|.""", re.DOTALL
)
_ASSIGNMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=.*", re.DOTALL)
#: What only prepares the command that a job is about.
_PREPARING: Final = frozenset(
    (
        *("cd", "test", "[", "[[", "{", "(", "export", "source", ".", "sleep", "umask", "set"),
        *("true", ":", "if", "then", "command", "which", "mkdir", "exit", "false", "unset"),
        *("ulimit", "pushd", "trap", "for", "while", "until", "fi", "done", "pgrep", "pidof"),
    )
)
#: What runs another program, which the job is about.
_WRAPPERS: Final = frozenset(
    (
        *("sudo", "doas", "nice", "ionice", "chrt", "nohup", "env", "time", "timeout", "flock"),
        *("chronic", "cronic", "exec", "setsid", "stdbuf", "systemd-cat", "run-one", "lockf"),
        *("solo", "envdir", "systemd-inhibit"),
    )
)
_INTERPRETERS: Final = re.compile(
    r"(?:python|php|perl|ruby|node|bash|sh|zsh|dash|ksh|java|pwsh|lua|Rscript)[\d.]*"
)
#: Behind which an interpreter has its program, and no script.
_CODE: Final = {"perl": "e", "ruby": "e", "node": "e", "lua": "e", "php": "r", "python": "c"}
#: What does many things, so that the next word says which.
_MANY: Final = frozenset(
    (
        *("artisan", "manage", "wp", "drush", "rake", "console", "occ", "magento", "docker", "git"),
        *("npm", "yarn", "run-parts", "systemctl", "service", "kubectl", "aws", "certbot"),
        *("bundle", "composer", "make", "docker-compose", "podman", "restic", "borg", "rclone"),
    )
)
_ENDINGS: Final = (".sh", ".bash", ".py", ".php", ".pl", ".rb", ".js", ".ts", ".phar", ".R")
_OPENING: Final = ("{", "(", "!", "then", "else", "do")
#: Options of wrappers that have a value behind them.
_WITH_VALUE: Final = {"ionice": ("-c", "-n"), "timeout": ("-s", "-k"), "env": ("-u", "-C")}
_LENGTH: Final = re.compile(r"[\d.]+[smhd]?")
#: Behind which a file, or a folder, stands before the program.
_WITH_A_FILE: Final = ("flock", "lockf", "solo", "envdir")


def titles_of(command: str) -> tuple[str, str]:
    """Return what a command is about, if it can be seen, in short and at some length.

    The one is its program or script, ``deploy``; the other has what stands behind it too,
    ``deploy-down``, where several commands run the same.
    """
    words = _about(command)
    if words:
        return _joined(words[: 2 if _bare(words[0]) in _MANY else 1]), _joined(words[:3])
    words = _words(command)
    names = [word for word in words if re.search("[a-z]", word) and _bare(word) not in _PREPARING]
    return (_bare((names or words)[0]) or "job", "") if words else ("job", "")


def _about(command: str) -> list[str]:
    """Return the words of what a command is about; none if all of it only prepares something."""
    for part in _parts(command):
        words = _telling(_words(part))
        if words and _bare(words[0]) not in _PREPARING:
            return words
    return []


def _parts(command: str) -> list[str]:
    """Return the commands that a command is made of."""
    parts = [""]
    for piece in _PIECES.finditer(command):
        if piece["between"]:
            parts.append("")
        else:
            parts[-1] += piece[0]
    return parts


def _joined(words: Sequence[str]) -> str:
    return "-".join(map(_bare, words)) or "job"


def _words(part: str) -> list[str]:
    try:
        words = shlex.split(part)
    except ValueError:
        words = part.split()
    words = _without_redirections(words)
    while words and (_ASSIGNMENT.fullmatch(words[0]) or words[0] in _OPENING):
        words = words[1:]
    if words and words[0].startswith("(") and len(words[0]) > 1:
        words = [words[0].lstrip("("), *words[1:]]
    return words


def _without_redirections(words: list[str]) -> list[str]:
    kept, is_target = [], False
    for word in words:
        redirection = re.match(r"(?:\d*|&)[<>]+&?", word)
        if redirection or word == "&":
            is_target = redirection is not None and redirection[0] == word
        elif not is_target:
            kept.append(word)
        else:
            is_target = False
    return kept


def _telling(words: list[str]) -> list[str]:
    """Return the program or script that words are about, and its arguments that are no options."""
    if not words:
        return []
    name = PurePosixPath(words[0]).name
    rest = words[1:]
    if name in _WRAPPERS and rest:
        return _wrapped(name, rest)
    if name in ("su", "runuser") and "-c" in rest[:-1]:
        return _about(rest[rest.index("-c") + 1]) or words[:1]
    if _INTERPRETERS.fullmatch(name) and rest:
        return _interpreted(name, rest) or words[:1]
    return [words[0], *(word for word in rest if not word.startswith("-"))]


def _wrapped(name: str, rest: list[str]) -> list[str]:
    valued = _WITH_VALUE.get(name, ("-u", "-g", "-w", "-n"))
    while rest and (rest[0].startswith("-") or _LENGTH.fullmatch(rest[0])):
        has_value = rest[0] in valued and (name != "flock" or rest[0] == "-w")
        rest = rest[2 if has_value else 1 :]
    if name in _WITH_A_FILE and len(rest) > 1:
        rest = rest[1:]
        while rest[0].startswith("-") and rest[0] != "-c" and len(rest) > 1:
            rest = rest[2 if rest[0] == "-w" else 1 :]
        if rest[0] == "-c" and len(rest) > 1:
            return _about(rest[1]) or [":"]
    while rest and _ASSIGNMENT.fullmatch(rest[0]):
        rest = rest[1:]
    return _telling(rest)


def _interpreted(name: str, rest: list[str]) -> list[str]:
    base = name.rstrip("0123456789.")
    code = "c" if base.endswith("sh") else _CODE.get(base, "")
    for number, word in enumerate(rest[:-1]):
        following = rest[number + 1 :]
        if code and re.fullmatch(f"-[a-zA-Z]*{code}", word):
            if base.endswith("sh"):
                return _about(following[0]) or [":"]
            # Certbot's, and others': sleep int(rand(43200)).
            return ["sleep"] if re.search(r"\bsleep\b", following[0]) else []
        if word in ("-m", "-jar"):
            return _telling(following)
    arguments = [word for word in rest if not word.startswith("-")]
    script = next((n for n, word in enumerate(arguments) if re.search(r"[/.]", word)), 0)
    return arguments[script:]


def _bare(word: str) -> str:
    name = PurePosixPath(word).name or word
    for ending in _ENDINGS:
        name = name.removesuffix(ending) or name
    return name


def named(jobs: Iterable[FoundJob]) -> list[tuple[str, FoundJob]]:
    """Return jobs with a name for each, in their order.

    A name depends on what a job is, not on where it stands or what stands before it: those that
    would be called the same are called by more of what they run, or have a hash of what they say.
    """
    listed = list(jobs)
    short = Counter(_clean(job.title) for job in listed)
    longer = Counter(_clean(job.longer) for job in listed)
    taken: set[str] = set()
    result = []
    for job in listed:
        base, more = _clean(job.title), _clean(job.longer)
        wanted = base
        if short[base] > 1:
            is_telling = job.longer and longer[more] == 1 and more not in short
            wanted = more if is_telling else f"{base}-{_digest(job)}"
        name, number = wanted, 1
        while name in taken:
            number += 1
            name = f"{wanted}-{number}"
        taken.add(name)
        result.append((name, job))
    return result


def _clean(title: str) -> str:
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", title)
    return name.strip("-._")[:_LONGEST].rstrip("-._") or "job"


def _digest(job: FoundJob) -> str:
    said = json.dumps([job.title, job.settings], sort_keys=True, default=str)
    return sha256(said.encode(errors="surrogatepass")).hexdigest()[:6]
