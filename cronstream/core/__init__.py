"""The pure part: values in, values out; time and chance are passed in.

From the bottom up:

``wire``      what is on the topics: records, their checks, their names and their sizes
``schedule``  when a job is due
``timing``    the spans of time that the protocol lives by
``crontab``   from the text of a crontab to its jobs, or to its problems
``planning``  from jobs and a cursor to the runs that are due
``ledger``    the fold of a log: what became of each run
``protocol``  what a worker decides to do about it
``health``    whether a process does what it is there for
``audit``     whether the logs show that anything was lost or doubled
``moving``    what comes along when an installation moves to other logs
"""
