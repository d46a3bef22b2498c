"""What each role has to be allowed, and that it is no more than that."""

import pytest

from cronstream.core.wire.naming import SCHEDULER, Names, Role
from cronstream.core.wire.rights import Actor, Kind, Operation, Right, all_topics, needed, rights
from tests.builders import NAMES


def _on(actor: Actor, topic: str, *clusters: str) -> tuple[Operation, ...]:
    found = {right.name: right for right in rights(NAMES, actor, clusters or ("a", "b"))}
    return found[topic].operations if topic in found else ()


def test_a_worker_reads_and_writes_its_log_and_writes_what_follows_from_it() -> None:
    assert _on(Actor.WORKER, NAMES.log("a"), "a")[:2] == (Operation.READ, Operation.WRITE)
    assert Operation.READ not in _on(Actor.WORKER, NAMES.retry_log("a"), "a")
    assert Operation.WRITE in _on(Actor.WORKER, NAMES.retry_log("a"), "a")
    assert Operation.WRITE in _on(Actor.RETRY_WORKER, NAMES.log("a"), "a")
    assert Operation.READ in _on(Actor.RETRY_WORKER, NAMES.retry_log("a"), "a")


@pytest.mark.parametrize("actor", [Actor.WORKER, Actor.RETRY_WORKER])
def test_a_worker_reaches_no_other_cluster(actor: Actor) -> None:
    names = {right.name for right in rights(NAMES, actor, ["a"])}

    assert not names & {right.name for right in rights(NAMES, actor, ["b"])} - _common(actor)
    assert NAMES.log("b") not in names


def _common(actor: Actor) -> set[str]:
    return {right.name for right in rights(NAMES, actor, ["a"]) if "a" not in _parts(right.name)}


def _parts(name: str) -> list[str]:
    return name.replace(".", "-").split("-")


def test_only_schedulers_write_jobs_and_who_administers_or_pauses_them() -> None:
    writers = {actor for actor in Actor if Operation.WRITE in _on(actor, NAMES.jobs)}

    assert writers == {Actor.SCHEDULER, Actor.OPERATOR, Actor.ADMIN}


def test_nobody_but_who_administers_creates_a_topic() -> None:
    creators = {
        actor
        for actor in Actor
        for right in rights(NAMES, actor, ["a", "b"])
        if Operation.CREATE in right.operations
    }

    assert creators == {Actor.ADMIN}


def test_a_reader_writes_nothing_and_an_operator_only_to_logs() -> None:
    written = {
        actor: {
            right.name
            for right in rights(NAMES, actor, ["a"])
            if Operation.WRITE in right.operations
        }
        for actor in (Actor.READER, Actor.OPERATOR)
    }

    assert written[Actor.READER] == set()
    logs = {NAMES.log("a"), NAMES.retry_log("a")}
    assert written[Actor.OPERATOR] == {*logs, NAMES.output("a"), NAMES.jobs}


def test_a_worker_begins_without_a_right_to_what_only_live_output_needs() -> None:
    for actor in (Actor.WORKER, Actor.RETRY_WORKER):
        optional = {*rights(NAMES, actor, ["a"])} - {*needed(NAMES, actor, ["a"])}
        assert {right.name for right in optional} == {NAMES.output("a")}
    assert not _on(Actor.SCHEDULER, NAMES.output("a"))


def test_a_process_has_one_group_and_a_person_only_looks_at_that_of_schedulers() -> None:
    groups = {
        actor: [right.name for right in rights(NAMES, actor, ["a"]) if right.kind is Kind.GROUP]
        for actor in Actor
    }

    assert groups[Actor.SCHEDULER] == [NAMES.group(SCHEDULER)]
    assert groups[Actor.RETRY_WORKER] == [NAMES.group(Role.of("a", retry=True))]
    assert groups[Actor.ADMIN] == []
    for actor in (Actor.READER, Actor.OPERATOR):
        assert groups[actor] == [NAMES.group(SCHEDULER)]
        assert _on(actor, NAMES.group(SCHEDULER)) == (Operation.DESCRIBE,)


def test_each_topic_and_group_is_named_once_and_what_is_implied_is_left_out() -> None:
    for actor in Actor:
        found = rights(NAMES, actor, ["b", "a"])
        assert len({(right.kind, right.name) for right in found}) == len(found)
        for right in found:
            assert Operation.DESCRIBE not in right.operations or not {
                Operation.READ,
                Operation.WRITE,
            } & {*right.operations}


def test_all_topics_are_those_that_any_role_needs() -> None:
    needed = {
        right.name
        for actor in Actor
        for right in rights(NAMES, actor, ["a", "b"])
        if right.kind is Kind.TOPIC
    }

    assert set(all_topics(NAMES, ["a", "b"])) == needed
    assert len(all_topics(NAMES, ["a", "b"])) == len(needed)


def test_rights_are_those_of_one_prefix() -> None:
    for right in rights(Names("second"), Actor.ADMIN, ["a"]):
        assert Names("second").owns(right.name)
    looked_at = (Operation.DESCRIBE, Operation.DESCRIBE_CONFIGS)
    found = rights(Names("second"), Actor.READER, [])
    assert Right(Kind.TOPIC, "second.ticks", looked_at) in found


def test_workers_only_write_what_follows_elsewhere_and_only_schedulers_do_both() -> None:
    read = {actor for actor in Actor if Operation.READ in _on(actor, NAMES.chains)}
    written = {actor for actor in Actor if Operation.WRITE in _on(actor, NAMES.chains)}

    assert read == {*Actor} - {Actor.WORKER, Actor.RETRY_WORKER}
    assert written == {Actor.SCHEDULER, Actor.WORKER, Actor.ADMIN}
