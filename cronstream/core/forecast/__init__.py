"""What a day of a crontab would be like: slots in use, queues, overlaps, the busiest seconds.

``forecast``  the whole of it; ``given``: what it is told
``course``    from one event to the next
``states``    jobs and runs on their way
``dues``      the due times of all jobs, in order
``lasting``   how long attempts take, and whether they succeed
``pool``      workers of one cluster and role, with their slots
``line``      runs of a job that may not overlap
``gauge``     a number over time
``busy``      the busiest seconds
``figures``   what comes of it
"""
