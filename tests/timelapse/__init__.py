"""The time-lapse: three months of an installation in seconds (docs/simulation.md).

``lapse``       all there is, from one seed
``kafka``       logs in segments, with retention; changelogs that are compacted at leisure
``tables``      rows on changelogs, cut in pieces, and read back from the end
``jobs``        crontabs whose jobs are due from every half hour to every few months
``scheduler``   a real `Shard`, which sleeps while nothing is due
``worker``      the simulation's worker, with rows and a clock that it minds
``trouble``     what happens in three months
``judge``       what the logs have said from their first day on, also what they have forgotten
``checks``      the promises, looked for each week and in the end
``growth``      what must not grow
``auditing``    the audit, over what retention has left
``faults``      planted faults that only months show
"""
