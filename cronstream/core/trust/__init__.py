"""Trust: who vouches for a run or a job, and whether that is believed.

`signing` says what a signature covers, `keys` how keys are written down, `judging` what becomes
of a record. No key is read and nothing is computed here: see `cronstream.trust`.
"""
