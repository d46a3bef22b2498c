"""Which runs are due between two moments, and what becomes of those that were missed.

A scheduler goes this way, once a second:

``due``       a shard: what is due from where it stands; it asks
``agenda``    which jobs are due next, and
``timeline``  which revision of a job each due time follows; what they say is gathered in
``draft``     as runs, or as skips of what was missed, and handed on as
``plan``      what is to be published, and how far the shard is then: its
``cursor``    the row of which comes after all that it counts
``recent``    what is known of the ``jobs`` topic, for whoever takes over
``legacy``    messages of the old layout, and what becomes of each
"""
