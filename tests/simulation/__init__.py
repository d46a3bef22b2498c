"""Many workers and schedulers around an in-memory log, in trouble, from a seed.

The core is the real one: `Shard` plans, `Ledger` folds, `Member` decides. What is modelled is the
world: clocks, logs, senders, consumer groups, executors, and what goes wrong with them. Time jumps
from event to event.

    python -m tests.simulation --seeds 10000 --jobs 2   no broken promise is expected
    python -m tests.simulation --teeth                  each planted fault: is it seen?
    python -m tests.simulation --seed 17 --trace        one seed, its logs printed
"""
