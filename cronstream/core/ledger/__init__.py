"""The fold of a log: what became of each run, as every reader of the log computes it.

``state``     the values: a live run, what has changed, what was refused; ``mark`` a job's mark,
              ``paused`` its pauses
``book``      the state of a partition with its indexes, and the few ways in which it changes;
              ``places`` where runs wait for a claim
``rules``     the table: what each kind of entry changes. ``arrivals`` runs, skips, withdrawals;
              ``claims`` who makes an attempt; ``endings`` ends and losses of attempts; ``settling``
              what brings a decision to its end; ``verdicts`` effects and verdicts
``beginning`` what may have begun before the log's beginning, where that is gone
``fold``      `Ledger`: takes the messages of a partition in order
``observed``  what each entry has changed, as values, for history and audit
``rows``      a ledger as a JSON row, and back; ``row_fields`` its live runs and marks
``overlap``   which due runs of a job begin, wait, are skipped or give way
``retry``     how long a later attempt waits; ``admission`` what belongs on which log
"""
