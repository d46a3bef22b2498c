"""Chaos: a whole installation on this machine, faults on purpose, and what came of the runs.

Every command writes its own start and end to a file. That file is the truth which the ledger is
held against. What decides is pure: the workload, the plan of faults, and the judgement.
"""
