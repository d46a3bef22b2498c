"""What a worker decides: to claim, to start, to give back, to renew, to take for lost.

``member``      one worker: its partitions, each as owner, holder, or both
``owner``       what the owner of a partition does: claims, effects, leases
``claiming``    what is claimed, and how much at once
``lending``     what waits for a slot here is left to others, and theirs is claimed (rule 26)
``turns``       how much of that, by how fast slots come free
``leaving``     what is still started of partitions that go to another worker (rule 5)
``trusting``    what is not trusted is not started (rule 21)
``holder``      what the holder of a claim does: its executor, starts, releases
``heartbeats``  when a heartbeat is due, and what follows from one that was read back
``actions``     what a member asks the world to do, as values
"""
