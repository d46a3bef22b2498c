"""The fold of a log: what became of each run, as every reader of the log computes it.

``state``    the values: a live run, a job's mark, what has been settled
``fold``     `Ledger`: takes the entries of one partition in order; built up from ``book`` (the
             state with its indexes), ``settling`` (effects and verdicts) and ``intake`` (runs,
             skips and withdrawals)
``rows``     a ledger as a JSON row, and back
``overlap``  which due runs of a job begin, wait, are skipped or give way
``retry``    how long a later attempt waits
"""
