import io
import threading
from typing import TextIO

from cronstream.supervisor.screen import Screen


class HeldTerminal(io.StringIO):
    """A terminal that takes nothing until it is let go, as after Ctrl-S."""

    def __init__(self) -> None:
        super().__init__()
        self.is_let_go = threading.Event()

    def write(self, text: str) -> int:
        self.is_let_go.wait(10)
        return super().write(text)


class ClosedPipe(io.StringIO):
    """What ``head`` leaves behind."""

    def write(self, _text: str) -> int:
        raise BrokenPipeError


def a_screen(stream: TextIO, *, is_coloured: bool = False) -> tuple[Screen, threading.Event]:
    closed = threading.Event()
    return Screen(stream, is_coloured=is_coloured, on_closed=closed.set), closed


def test_lines_are_written_whole_and_in_order() -> None:
    stream = io.StringIO()
    screen, _ = a_screen(stream)
    for number in range(100):
        screen.say("a" if number % 2 else "b", f"line {number}")
    screen.close()
    lines = stream.getvalue().splitlines()
    assert [line.rpartition("| ")[2] for line in lines] == [f"line {n}" for n in range(100)]


def test_a_terminal_that_is_held_holds_up_nobody_and_is_told_what_it_missed() -> None:
    terminal = HeldTerminal()
    screen, _ = a_screen(terminal)
    for number in range(12_000):
        screen.say("a", f"{number}")
    terminal.is_let_go.set()
    # What is waiting is written first; then there is room again for what comes next.
    while not screen._lines.empty():
        terminal.is_let_go.wait()
    screen.say("a", "and on")
    screen.close()
    lines = terminal.getvalue().splitlines()
    assert "lines were left out" in lines[-2]
    assert lines[-1].endswith("and on")
    left_out = int(lines[-2].partition("(")[2].split()[0])
    assert left_out + len(lines) - 2 == 12_000


def test_a_reader_that_has_gone_is_told_of_once() -> None:
    screen, closed = a_screen(ClosedPipe())
    screen.say("a", "one")
    screen.say("a", "two")
    assert closed.wait(10)
    screen.close()


def test_each_part_keeps_its_colour() -> None:
    stream = io.StringIO()
    screen, _ = a_screen(stream, is_coloured=True)
    for label in ("a", "b", "a"):
        screen.say(label, "x")
    screen.close()
    first, second, third = stream.getvalue().splitlines()
    assert first == third
    assert first.partition("m")[0] != second.partition("m")[0]


def test_without_colours_nothing_but_text_is_written() -> None:
    stream = io.StringIO()
    screen, _ = a_screen(stream)
    screen.say("a", "x")
    screen.close()
    assert stream.getvalue() == "a                | x\n"
