"""Which runs are due between two moments, and what becomes of those that were missed.

A scheduler goes this way, once a second; each module calls only those below it:

``due``       a shard: what is due from where it stands, step by step:
``edits``     revisions that have come since hold from now on, and change what was published;
``agenda``    which jobs are due next, up to where the plan goes; both put what they find into
``draft``     as runs, or as skips of what was missed, by
``timeline``  which revision of a job each due time follows, at the
``pace``      of which what was missed is made up for. The draft is handed on as
``plan``      what is to be published, and how far the shard is then: its
``cursor``    the row of which comes after all that it counts

Beside that way:

``recent``    what is known of the ``jobs`` topic, for whoever takes over
``legacy``    messages of the old layout, and what becomes of each
``backfill``  due times of the past that a person wants run after all
"""
