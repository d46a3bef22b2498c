"""Whether a process does what it is there for: facts in, judgements out.

``facts``      what is known of a process, as ``/health`` shows it; ``judging`` what follows
``too_long``   what lasts too long, as counted over looks at it
``lateness``   which runs are late, and what keeps them waiting
``presence``   what every process announces of itself; ``roll`` who has lately
``agreement``  what holds while the settings of processes differ; ``clocks`` which clocks are off
"""
