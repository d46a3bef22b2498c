"""The audit over what simulated worlds leave behind: only true findings, and faults are seen."""

from datetime import timedelta
from unittest.mock import patch

import pytest

from cronstream.core.audit import partition
from cronstream.core.audit.finding import FAULTS
from tests.core.audit.simulated import audit_world
from tests.simulation.checks import broken_promises
from tests.simulation.faults import planted
from tests.simulation.scale import scaled_down
from tests.simulation.world import World

_SEEDS = 30
#: The seeds in which a planted fault has been seen lie below this.
_SEEDS_FOR_A_FAULT = 200
#: As much as `BEHIND` is for the fold's real spans.
_BEHIND = timedelta(seconds=20)


def test_what_the_simulation_finds_nothing_wrong_with_is_clean() -> None:
    for seed in range(_SEEDS):
        world = World(seed)
        with scaled_down(), patch.object(partition, "BEHIND", _BEHIND):
            world.run()
            assert not broken_promises(world)
            findings, tally = audit_world(world, in_pieces=False)
            _, in_pieces = audit_world(world, in_pieces=True)
        faults = [f"{f.kind} {f.run}: {f.text}" for f in findings if f.kind in FAULTS]
        assert faults == [], f"seed {seed}"
        assert tally.due >= world.count["due times"]
        assert tally.summary() == in_pieces.summary(), f"seed {seed}"


#: Of the faults that the simulation knows, some that a few seeds show on the logs.
_PLANTED = (
    "1: a claim is not compared with the version",
    "2: Forwarded is appended without publishing",
    "4: an attempt is handed over when it is claimed",
    "4: claims are handed over on reading them",
    "11: scheduled runs are not deduplicated",
    "12: an edit does not lower the mark",
    "13: a run that gave way has no successor",
)


@pytest.mark.parametrize("fault", _PLANTED)
def test_a_planted_fault_is_found(fault: str) -> None:
    with planted(fault), scaled_down():
        for seed in range(_SEEDS_FOR_A_FAULT):
            world = World(seed)
            world.run()
            findings, _ = audit_world(world, in_pieces=False)
            if any(finding.kind in FAULTS for finding in findings):
                return
    pytest.fail("no seed has shown it")
