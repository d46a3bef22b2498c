"""What is wrong with a text that is not YAML, in the words of who wrote the crontab.

A parser's sentence names a rule of YAML. Mostly what was meant is plain from the line: a schedule
or a command that needs quotes, a quote or a bracket that is not closed, a space that is missing.
Each rule here looks for one such mistake, and has a sentence with the place and the remedy.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import ScalarEvent

from cronstream.core.crontab.yaml_marks import ParserFault, place_of_mark
from cronstream.core.crontab.yaml_quotes import BEGINS, KEY, put_in_quotes, quotes_needed
from cronstream.errors import Place

_OWN_LINE: Final = re.compile(r"(\s*(?:- +)*)([\w.-]+)\s*:(?:\s|$)")
_GLUED: Final = re.compile(r"\s*(?:- +)*([\w.-]+):(?=\S)")
_CONFLICT: Final = re.compile(r"(?:<{7}|>{7})(?:\s|$)")
_ODD_SPACE: Final = re.compile("[\xa0\u1680\u2000-\u200b\u202f\u205f\u3000]")
_QUOTES: Final = ("'", '"')

_Told: TypeAlias = "tuple[Place, str] | None"


def syntax_fault(
    lines: Sequence[str], error: MarkedYAMLError, last: ScalarEvent | None = None
) -> tuple[Place, str]:
    """Return where a text is no YAML, and what to do about it.

    Args:
        lines: All of it.
        error: What the parser says.
        last: The last scalar that the parser could read.
    """
    what = ", ".join(part for part in (error.context, error.problem) if part)
    mark = error.problem_mark or error.context_mark
    place = Place(1, 1) if mark is None else place_of_mark(mark)
    context = None if error.context_mark is None else place_of_mark(error.context_mark)
    fault = ParserFault(lines, what, place, context, last)
    for rule in _RULES:
        told = rule(fault)
        if told is not None:
            return told
    return place, f"not valid YAML: {what}; check quotes, colons and indentation here"


# -- rules -----------------------------------------------------------------------------------------


def _conflict(fault: ParserFault) -> _Told:
    for number, line in enumerate(fault.lines, start=1):
        if _CONFLICT.match(line):
            return Place(number, 1), "a merge conflict is left in the file; resolve it"
    return None


def _tab(fault: ParserFault) -> _Told:
    line = fault.here
    if "\t" not in line[: len(line) - len(line.lstrip())]:
        return None
    return fault.place, "a tab indents this line; use spaces"


def _odd_space(fault: ParserFault) -> _Told:
    for number in (fault.place.line, fault.context.line if fault.context else 0):
        found = _ODD_SPACE.search(fault.line(number)) if number else None
        if found is not None:
            sentence = f"character U+{ord(found[0]):04X} only looks like a space; write one"
            return Place(number, found.start() + 1), sentence
    return None


def _open_quote(fault: ParserFault) -> _Told:
    """A quote that ends with the text, or at the quote that was to begin another value."""
    if fault.context and "quoted scalar" in fault.what and "unexpected" in fault.what:
        return fault.context, "the quote that begins here is never closed; close it"
    last = fault.behind
    if last is None or last.style not in _QUOTES:
        return None
    begin = place_of_mark(last.start_mark)
    if begin.line == fault.place.line:
        return None
    return begin, (
        f"the quote that begins here ends only in line {fault.place.line}; "
        "close it where the text ends"
    )


def _behind_quotes(fault: ParserFault) -> _Told:
    """Text goes on behind a closing quote: the quotes were meant for a part of it."""
    last = fault.behind
    if last is None or last.style not in _QUOTES or fault.found in {"", "}", "]"}:
        return None
    begin = place_of_mark(last.start_mark)
    remedy = put_in_quotes(fault.here, begin.column - 1)
    return begin, f"text goes on behind the closing quote; {remedy}"


def _second_colon(fault: ParserFault) -> _Told:
    """A value without quotes that has ': ' in it."""
    last = fault.behind
    if fault.found != ":" or last is None or not last.value:
        return None
    begin = place_of_mark(last.start_mark)
    before = fault.line(begin.line)[: begin.column - 1]
    if begin.line != fault.place.line or not before.strip(" -"):
        return None
    remedy = put_in_quotes(fault.here, begin.column - 1)
    return fault.place, f"': ' begins another value in YAML; {remedy}"


def _colon_within(fault: ParserFault) -> _Told:
    """A value with a colon in it, within brackets: libyaml takes none there without quotes."""
    is_colon = "plain scalar" in fault.what and fault.found == ":"
    if not is_colon or fault.context is None or fault.context.line != fault.place.line:
        return None
    line, begin = fault.here, fault.context.column - 1
    if not line[:begin].rstrip().endswith(":"):
        line = line[:begin] + line[begin:].partition(",")[0]
    remedy = put_in_quotes(line, begin)
    return fault.context, f"a colon stands in this value; {remedy}"


def _too_deep(fault: ParserFault) -> _Told:
    """A key that is taken for more of the value above it, since it stands too far to the right."""
    if "mapping values are not allowed" not in fault.what or fault.last is None:
        return None
    begin, own = place_of_mark(fault.last.start_mark), _OWN_LINE.match(fault.here)
    if own is None:
        return None
    place, above = Place(fault.place.line, len(own[1]) + 1), _OWN_LINE.match(fault.line(begin.line))
    if above is None:
        return (
            place,
            f"no value can begin here: line {begin.line} has no colon, or this is too deep",
        )
    return place, (
        f"{own[2]!r} is indented deeper than {above[2]!r} above it; "
        f"begin both in column {len(above[1]) + 1}"
    )


def _indicator(fault: ParserFault) -> _Told:
    """A value without quotes that begins with a character of YAML's own."""
    line, until = fault.here, fault.place.column
    keys = [found for found in KEY.finditer(line[:until]) if found.end() < until]
    keys += [found for found in KEY.finditer(line) if found.end() == until - 1]
    begin = keys[-1].end() if keys else len(line) - len(line.lstrip(" -"))
    first = line[begin : begin + 1]
    if first not in BEGINS or (not keys and (first in "[{-?" or begin == 0)):
        return None
    if first in "[{":
        inside = line[begin : until - 1]
        if inside.count(first) != inside.count({"[": "]", "{": "}"}[first]):
            return None
    place = Place(fault.place.line, begin + 1)
    return place, quotes_needed(fault.lines, place)


def _template(fault: ParserFault) -> _Told:
    for number in (fault.place.line, fault.context.line if fault.context else 0):
        line = fault.line(number) if number else ""
        if line.lstrip().startswith(("{%", "{{")):
            place = Place(number, len(line) - len(line.lstrip()) + 1)
            return place, "this is a line of a template; render the template first"
    return None


def _escape(fault: ParserFault) -> _Told:
    at = fault.here.rfind("\\", 0, fault.place.column)
    if "escape" not in fault.what or at < 0:
        return None
    shown = fault.here[at : at + 2]
    return Place(fault.place.line, at + 1), (
        f"{shown} stands for nothing in YAML's double quotes; write it in single quotes"
    )


def _open_bracket(fault: ParserFault) -> _Told:
    if "flow" not in fault.what or fault.context is None:
        return None
    bracket = fault.line(fault.context.line)[fault.context.column - 1 : fault.context.column]
    closing = {"[": "]", "{": "}"}.get(bracket)
    if closing is None:
        return None
    if fault.context.line == fault.place.line and fault.found not in {"}", "]"}:
        return fault.place, f"',' or {closing!r} is missing before this; add it"
    return (
        fault.context,
        f"the {bracket!r} that stands here is not closed; close it with {closing!r}",
    )


def _stray_bracket(fault: ParserFault) -> _Told:
    if fault.found not in {"}", "]"}:
        return None
    return fault.place, f"this {fault.found!r} closes nothing; remove it, or put the text in quotes"


def _no_value(fault: ParserFault) -> _Told:
    if "node content" not in fault.what:
        return None
    if not "".join(fault.lines[fault.place.line - 1 :]).strip():
        return fault.place, "the text ends within a list or mapping; close it with ']' or '}'"
    return fault.place, "a value is missing before this; add it ('#' begins a comment)"


def _no_colon(fault: ParserFault) -> _Told:
    if "could not find expected ':'" not in fault.what or fault.context is None:
        return None
    line = fault.line(fault.context.line)
    glued = _GLUED.match(line)
    if glued is not None:
        place = Place(fault.context.line, glued.end())
        return place, f"a space is missing behind '{glued[1]}:'; add it"
    return fault.context, "this line has no colon; write 'key: value'"


def _out_of_line(fault: ParserFault) -> _Told:
    """A line that is indented like none that it could belong to."""
    line, is_list = fault.here, "collection" in fault.what or "sequence" in fault.what
    if "block" not in fault.what or line[: fault.place.column - 1].strip():
        return None
    if is_list and fault.context is not None:
        where = f"line {fault.context.line}"
        return fault.place, f"the list of {where} goes on with '-' below its own; line this up"
    return fault.place, "this line is indented like none above it; line it up"


def _before_it(fault: ParserFault) -> _Told:
    """What stands above is whole, and what comes then cannot belong to it."""
    if "document start" not in fault.what:
        return None
    lines = enumerate(fault.lines, start=1)
    said = (each for each in lines if each[1].strip() and each[1].lstrip()[0] != "#")
    number, first = next(said, (fault.place.line, ""))
    if number == fault.place.line:
        return None  # Parsers know breaks of lines that nobody sees.
    if indent := len(first) - len(first.lstrip()):
        sentence = f"this line is indented, and line {fault.place.line} is not; line them up"
        return Place(number, indent + 1), sentence
    return fault.place, f"this does not belong to what line {number} says; take one of them out"


_RULES: Final[tuple[Callable[[ParserFault], _Told], ...]] = (
    _conflict,
    _tab,
    _odd_space,
    _open_quote,
    _template,
    _behind_quotes,
    _second_colon,
    _colon_within,
    _too_deep,
    _escape,
    _indicator,
    _open_bracket,
    _stray_bracket,
    _no_value,
    _no_colon,
    _before_it,
    _out_of_line,
)
