"""The commands that the docs show: found in the text, and read as a shell would."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md")), *sorted(DOCS.glob("runbooks/*.md"))]

PROGRAMS = ("cronstream", "faust", "make", "docker", "systemctl", "pip", "python", "python3")
#: Blocks in these languages are not a shell's.
_OTHER_LANGUAGES = ("yaml", "dockerfile", "json", "sql", "ini", "text")
_CODE_SPAN = re.compile(r"`([^`]+)`")
_VARIABLE = re.compile(r"[A-Z_]+=.*")


@dataclass(frozen=True, slots=True)
class Shown:
    """A command that a page shows.

    Attributes:
        place: The page and the line.
        words: What the shell makes of it, without variables and prompt; the program's name first.
        is_whole: It stands in a block, to be typed as it is; else in a sentence, to speak of.
    """

    place: str
    words: tuple[str, ...]
    is_whole: bool

    def __str__(self) -> str:
        return f"{self.place} {' '.join(self.words)}"


def shown_commands() -> list[Shown]:
    """Return every command of every page."""
    return [command for page in PAGES for command in _commands_of(page)]


def _commands_of(page: Path) -> Iterator[Shown]:
    name, text = page.relative_to(ROOT), page.read_text()
    prose: list[str] = []
    for number, line, language in _lines(text):
        if language is None:
            prose.append(line)
            continue
        prose.append("")
        if language not in _OTHER_LANGUAGES:
            for words in _simple_commands(line):
                yield Shown(f"{name}:{number}", words, is_whole=True)
    for span in _CODE_SPAN.finditer("\n".join(prose)):
        number = "\n".join(prose).count("\n", 0, span.start()) + 1
        typed = re.sub(r"\w+\[\w+\]", " ", span[1])  # An extra, such as cronstream[java].
        typed = re.sub(r"[\[\]…]", " ", typed).replace("|", " | ", 0)
        typed = re.sub(r"\b(\w+)\|[\w|]+", r"\1", typed)
        for words in _simple_commands(" ".join(typed.split())):
            if len(words) > 1:
                yield Shown(f"{name}:{number}", words, is_whole=False)


def _lines(text: str) -> Iterator[tuple[int, str, str | None]]:
    """Yield each line with its number and its block's language; None outside of blocks."""
    fence: str | None = None
    lines = re.sub(r"\\\n", "  ", text).splitlines()
    for number, line in enumerate(lines, start=1):
        if line.startswith("```"):
            fence = None if fence is not None else line.removeprefix("```")
        elif fence is not None:
            yield number, line, fence
        elif line.startswith("    ") and "│" not in line:
            yield number, line.strip(), ""
        else:
            yield number, line, None


def _simple_commands(line: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of each command in a line that is one of our programs'."""
    typed = re.split(r"\s{2,}", line.removeprefix("$ "), maxsplit=1)[0]
    for part in re.split(r"&&|;|\|", re.sub(r" >>? ?\S+", "", typed)):
        first = part.strip().split(" ", 1)[0]
        if first.endswith("/") or not (_VARIABLE.fullmatch(first) or Path(first).name in PROGRAMS):
            continue
        words = shlex.split(part, comments=True)
        while words and _VARIABLE.fullmatch(words[0]):
            words = words[1:]
        if words and Path(words[0]).name in PROGRAMS:
            yield (Path(words[0]).name, *words[1:])
