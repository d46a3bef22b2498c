"""The fold of a log: what became of each run, as every reader of the log computes it.

``state``   the values: a live run, a job's mark, what has been settled
``fold``    `Ledger`: takes the entries of one partition in order
``middle``  a log that is read from its middle
``rows``    a ledger as a JSON row, and back
``owner``   what the owner of a partition does: claims, effects, leases
``member``  one worker: its partitions, what it holds, its executor
"""
