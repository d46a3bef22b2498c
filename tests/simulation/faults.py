"""All planted faults: what the simulation must see if a rule is broken."""

from tests.simulation import (
    faults_around,
    faults_of_chains,
    faults_of_deadlines,
    faults_of_fold,
    faults_of_lending,
    faults_of_levels,
    faults_of_making_up,
    faults_of_member,
    faults_of_overlap,
    faults_of_pauses,
    faults_of_settings,
    faults_of_trust,
)
from tests.simulation.planting import FAULTS, planted

#: Where they are planted from; to import them is to have them.
SOURCES = (
    faults_of_fold,
    faults_of_levels,
    faults_of_member,
    faults_of_overlap,
    faults_of_settings,
    faults_of_trust,
    faults_of_deadlines,
    faults_of_making_up,
    faults_of_chains,
    faults_of_pauses,
    faults_of_lending,
    faults_around,
)
__all__ = ["FAULTS", "SOURCES", "planted"]
