"""How fast cronstream is: measured beside the floor of the machine and beside its peers.

``python -m bench`` measures and writes ``bench/results/latest.json``; ``python -m bench.report``
draws the tables and pictures of ``docs/performance.md`` from it. Everything runs on the loopback
interface, in a temporary folder, and ends with the process.

``machine``  programs in C, CPU time and memory of processes, stamps
``floors``   what starting commands costs without cronstream
``rig``      a real Kafka and real processes of cronstream
``instant``  many jobs due at one instant
``backlog``  many commands that wait
``cost``     idle, cold starts, the ledger, the scheduler's rate
``peers``    supercronic, APScheduler, Celery, Huey
``scaling``  the arithmetic of large installations, from measured costs
"""
