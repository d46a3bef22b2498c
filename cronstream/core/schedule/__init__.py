"""When a job is due: schedules, zones, durations.

``schedule``  when a job is due: cron expressions in time zones, and ``@every``
``fields``    cron expressions to sets of numbers
``duration``  lengths of time as people write them
"""
