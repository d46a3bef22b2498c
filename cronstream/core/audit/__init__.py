"""The audit: whether every due time became what was promised, worked out again from the topics.

``finding``      the values: what was found, of which kind, and whether it breaks a promise
``tally``        what is counted, and how late starts were
``known``        what the topics no longer have, which is no fault of a run
``definitions``  each job's definitions over time, and the due times that follow from them
``claims``       the attempts at one run, as claims, starts and ends report them
``audited_run``  one run, from its publication to its verdict, and what is wrong with it
``watched_log``  the ledger's own fold, watched for runs that are audited
``tenancy``      which due times were its own, if an installation has moved
``waiting``      whether a run without a verdict is explained
``closing``      counts a run of which all is known, and reports its faults
``partition``    one partition of all clusters: its due times held against its logs

It is pure, and settles runs as the logs go by: what it keeps is bounded by the jobs, the due times
of about a quarter of an hour, and the runs without a verdict, not by the length of the logs.
"""
