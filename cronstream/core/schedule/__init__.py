"""When a job is due: schedules, zones, durations.

``schedule``    the text of a schedule, and a time zone, to due times
``expression``  one expression: fields, a nickname, ``@every``, ``@at``
``rules``       several of them with rules, as one text
``ruled``       their due times; ``exclusions``: without what is excluded
``sentence``    a schedule in words; ``changes``: what changes of clocks do to it
``clock``       due times by clocks that change
``walls``       what the clock on the wall shows then, without zones
``fields``      cron expressions to sets of numbers
``days``        the days of a month that they name
``spread``      ``H`` to a number that a job's name picks
``duration``    lengths of time as people write them
``moments``     dates and times as people write them
"""
