"""How commands are ended, with all that they have started: against real processes."""

import signal
import sys
from pathlib import Path

import pytest

from cronstream.executor import tree
from cronstream.executor.protocol import End, Finished, Started
from tests.executor.witness import Witness, a_hold, is_alive, text_in, until_gone, until_looked

#: Ignores TERM, says so, and waits: in sh, so that it has a child (sleep) too.
DEAF = "trap '' TERM; echo deaf; while :; do sleep 1; done"


async def test_a_command_that_takes_too_long_is_told_to_end(witness: Witness) -> None:
    finished = await witness.run(a_hold("sleep 30", timeout_s=0.1))
    assert (finished.outcome, finished.signal) == ("timed_out", signal.SIGTERM)
    assert finished.note == "it ran longer than 0.1 s and was ended"


async def test_what_it_says_when_it_is_told_to_end_is_kept(
    witness: Witness, tmp_path: Path
) -> None:
    file = tmp_path / "ready"
    hold = a_hold(f"trap 'echo bye; exit 0' TERM; echo hi | tee {file}; sleep 30 & wait")
    await witness.started(hold)
    await text_in(file)
    witness.send(End(hold.key, None))
    finished = await witness.the(Finished, hold.key)
    assert (finished.outcome, finished.exit_status) == ("interrupted", 0)
    assert finished.head == "hi\nbye\n"


async def test_one_that_ignores_it_is_killed_after_its_grace(witness: Witness) -> None:
    hold = a_hold(DEAF, timeout_s=0.5, grace_s=0.2)
    finished = await witness.run(hold)
    assert (finished.outcome, finished.signal) == ("timed_out", signal.SIGKILL)
    assert finished.head == "deaf\n"
    assert finished.started_at is not None
    assert finished.ended_at - finished.started_at >= 0.7


async def test_a_stopped_command_can_be_ended(witness: Witness) -> None:
    finished = await witness.run(a_hold("kill -STOP $$", timeout_s=0.2, grace_s=30.0))
    assert (finished.outcome, finished.signal) == ("timed_out", signal.SIGTERM)


async def test_an_end_on_demand_is_an_interruption_with_the_first_note_that_it_was_given(
    witness: Witness,
) -> None:
    hold = a_hold("sleep 30")
    await witness.started(hold)
    witness.send(End(hold.key, "the worker stops"))
    witness.send(End(hold.key, "too late"))
    finished = await witness.the(Finished, hold.key)
    assert (finished.outcome, finished.note) == ("interrupted", "the worker stops")
    assert len(witness.of(Finished)) == 1


LEFTOVERS = {
    "in the background": "sleep 30 & echo $! > {file}",
    "in the background with the pipe closed": "sleep 30 >/dev/null 2>&1 & echo $! > {file}",
    "in its own session": "setsid sh -c 'echo $$ > {file}; exec sleep 30'"
    " >/dev/null 2>&1 & while [ ! -s {file} ]; do sleep 0.01; done",
    "with nohup": "nohup setsid sh -c 'echo $$ > {file}; exec sleep 30'"
    " >/dev/null 2>&1 </dev/null & while [ ! -s {file} ]; do sleep 0.01; done",
    "with its environment cleared": "env -i setsid sh -c 'echo $$ > {file}; exec sleep 30'"
    " >/dev/null 2>&1 & while [ ! -s {file} ]; do sleep 0.01; done",
    "forked twice": "(setsid sh -c '(echo $$; sleep 30 & echo $! > {file}) &') >/dev/null 2>&1;"
    " while [ ! -s {file} ]; do sleep 0.01; done",
}


@pytest.mark.parametrize("command", LEFTOVERS.values(), ids=LEFTOVERS.keys())
async def test_what_a_command_leaves_running_is_ended(
    witness: Witness, tmp_path: Path, command: str
) -> None:
    file = tmp_path / "pid"
    finished = await witness.run(a_hold(command.format(file=file)))
    assert not is_alive(int(file.read_text().split()[-1]))
    assert (finished.outcome, finished.exit_status) == ("succeeded", 0)
    assert finished.note in (
        "1 process in the background was ended",
        "2 processes in the background were ended",
    )


async def test_how_many_were_ended_in_the_background_is_said(witness: Witness) -> None:
    finished = await witness.run(a_hold("sleep 30 & sleep 30 & sleep 30 & exit 3"))
    assert (finished.outcome, finished.exit_status) == ("failed", 3)
    assert finished.note == "3 processes in the background were ended"


@pytest.mark.parametrize("command", LEFTOVERS.values(), ids=LEFTOVERS.keys())
async def test_what_is_waited_for_in_the_background_ends_by_itself(
    witness: Witness, tmp_path: Path, command: str
) -> None:
    file = tmp_path / "pid"
    text = command.format(file=file).replace("sleep 30", "sleep 0.7")
    finished = await witness.run(a_hold(f"{text}; exit 4", background="wait"))
    assert not is_alive(int(file.read_text().split()[-1]))
    assert (finished.outcome, finished.exit_status, finished.note) == ("failed", 4, None)
    assert finished.ended_at - (finished.started_at or 0) > 0.6


async def test_output_from_the_background_is_kept_to_its_end(witness: Witness) -> None:
    hold = a_hold("(sleep 0.3; echo done) & echo queued", background="wait")
    assert (await witness.run(hold)).head == "queued\ndone\n"


async def test_a_timeout_is_for_all_that_is_waited_for(witness: Witness, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    deaf = "trap '' TERM; while :; do sleep 0.1; done"
    command = f'sh -c "{deaf}" & echo $! > {file}; exit 0'
    hold = a_hold(command, background="wait", timeout_s=0.3, grace_s=0.2)
    finished = await witness.run(hold)
    assert not is_alive(int(file.read_text()))
    assert (finished.outcome, finished.exit_status) == ("timed_out", 0)
    assert finished.note == "it ran longer than 0.3 s and was ended"


async def test_what_is_waited_for_is_interrupted_when_it_is_told_to_end(witness: Witness) -> None:
    hold = a_hold("sleep 30 & exit 0", background="wait")
    await witness.started(hold)
    await witness.run(a_hold())
    witness.send(End(hold.key, "told to"))
    finished = await witness.the(Finished, hold.key)
    assert (finished.outcome, finished.note) == ("interrupted", "told to")


@pytest.mark.parametrize("command", LEFTOVERS.values(), ids=LEFTOVERS.keys())
async def test_to_end_a_command_is_to_end_its_whole_tree(
    witness: Witness, tmp_path: Path, command: str
) -> None:
    file = tmp_path / "pid"
    hold = a_hold(command.format(file=file) + "; sleep 30")
    await witness.started(hold)
    leftover = int((await text_in(file)).split()[-1])
    witness.send(End(hold.key, None))
    finished = await witness.the(Finished, hold.key)
    assert not is_alive(leftover)
    assert finished.outcome == "interrupted"


async def test_a_leftover_that_ignores_term_is_killed_after_the_grace(
    witness: Witness, tmp_path: Path
) -> None:
    file = tmp_path / "pid"
    deaf = f"setsid sh -c \"trap '' TERM; echo \\$\\$ > {file}; while :; do sleep 1; done\""
    hold = a_hold(f"{deaf} & while [ ! -s {file} ]; do sleep 0.01; done; exit 5", grace_s=0.2)
    finished = await witness.run(hold)
    assert not is_alive(int(file.read_text()))
    assert (finished.outcome, finished.exit_status) == ("failed", 5)


async def test_one_commands_end_leaves_the_others_alone(witness: Witness, tmp_path: Path) -> None:
    file = tmp_path / "pid"
    other = a_hold(LEFTOVERS["with its environment cleared"].format(file=file) + "; sleep 30")
    await witness.started(other)
    orphan = int(await text_in(file))
    await witness.run(a_hold("sleep 30 &"))
    await witness.run(a_hold("sleep 30", timeout_s=0.1))
    assert is_alive(orphan)
    assert not witness.of(Finished, other.key)
    witness.send(End(other.key, None))
    await witness.the(Finished, other.key)
    assert not is_alive(orphan)


async def test_leftovers_are_found_in_the_midst_of_exec_too(witness: Witness) -> None:
    await witness.started(a_hold("sleep 30"))
    holds = [a_hold("setsid sleep 29.31 >/dev/null 2>&1 & exit 0") for _ in range(60)]
    witness.send(*holds)
    await witness.until(lambda: len(witness.of(Finished)) == len(holds))

    def children() -> int:
        """How many it has: what has been killed is one for a moment more."""
        parents = [process.parent for process in tree.process_table().values()]
        return parents.count(witness.handle.pid)

    await until_looked(lambda: children() == 1)


FORKS_AT_THE_END = """
import os, signal, subprocess, sys

def end(number, frame):
    subprocess.Popen(["sleep", "30"])
    os._exit(7)

signal.signal(signal.SIGTERM, end)
print(file=open(sys.argv[1], "w"))
while True:
    signal.pause()
"""


async def test_what_is_forked_while_its_parent_is_being_ended_is_ended_as_soon(
    witness: Witness, tmp_path: Path
) -> None:
    file = tmp_path / "ready"
    hold = a_hold([sys.executable, "-c", FORKS_AT_THE_END, str(file)], grace_s=25.0)
    await witness.started(hold)
    await text_in(file)
    witness.send(End(hold.key, None))
    finished = await witness.the(Finished, hold.key)
    assert (finished.outcome, finished.exit_status) == ("interrupted", 7)


async def test_a_leftover_keeps_its_slot_until_it_is_gone() -> None:
    witness = Witness()
    await witness.launch(slots=1)
    witness.lease()
    first = a_hold("sh -c \"trap '' TERM; echo; while :; do sleep 1; done\" &", grace_s=0.3)
    second = a_hold()
    witness.send(first, second)
    await witness.the(Finished, second.key)
    kinds = [(type(report), report.key) for report in witness.reports]
    assert kinds.index((Finished, first.key)) < kinds.index((Started, second.key))
    await witness.handle.close()


async def test_an_orphan_that_ends_by_itself_is_no_leftover(witness: Witness) -> None:
    finished = await witness.run(a_hold("(setsid sh -c 'sleep 0.05' &); sleep 0.3"))
    assert (finished.outcome, finished.note) == ("succeeded", None)


async def test_after_the_end_of_a_command_nothing_of_it_is_left_to_reap(witness: Witness) -> None:
    await witness.run(a_hold("for i in 1 2 3 4; do setsid sleep 30 & done"))
    parents = {process.parent for process in tree.process_table().values()}
    assert witness.handle.pid not in parents


async def test_closing_ends_every_command_as_interrupted() -> None:
    witness = Witness()
    await witness.launch()
    witness.lease()
    deaf, plain, never = a_hold(DEAF, grace_s=60.0), a_hold("sleep 30"), a_hold(at=2e9)
    pids = [(await witness.started(hold)).pid for hold in (deaf, plain)]
    witness.send(never)
    await witness.handle.close()
    await until_gone(*pids, witness.handle.pid, within_s=0.1)
    outcomes = {report.key: report.outcome for report in witness.of(Finished)}
    assert outcomes == {deaf.key: "interrupted", plain.key: "interrupted"}
    assert witness.deaths == []
    await witness.handle.close()
