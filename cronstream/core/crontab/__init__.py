"""From the text of a crontab to its jobs, every problem with its line and column.

``parser``     goes the whole way, from the text to a `Crontab`
``yaml_tree``  the text to a tree (``yaml_nodes``) in which each value knows its place; with
               ``yaml_scalars``, ``yaml_quotes`` and, for what is no YAML, ``yaml_faults``
``clusters``   which clusters there are, and whether jobs keep to them
``schedules``  when jobs are due, calendars, and what is wrong with that
``model``      what may stand for a job, and ``faults`` what pydantic finds wrong with it, in words
``pairs``      what two settings say together; ``sizes`` whether a job fits in its messages
``problems``   all faults of a text, so that they are reported at once
``advice``     what is valid, but may not be what was meant
``change``     what differs between two crontabs
"""
