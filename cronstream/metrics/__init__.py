"""What a process tells Prometheus of itself: counted where it happens, never asked of Kafka.

Each family has a row in docs/metrics.md. What counts on the way of a run is a counter or histogram
whose child is at hand; all else is looked up when somebody scrapes.

``exposition``        all families of one process, and the text of the page ``/metrics``
``labels``            which label a job has: beyond so many jobs the rest share one
``notices``           what a worker counts of what it sends to others
``overdue``           what a worker tells of jobs that are overdue
``process``           what every process tells: build, health, clock, broker
``scheduler``         what a scheduler tells that is looked up
``scheduler_counts``  what it counts as it publishes
``worker``            what a worker or a retry worker tells that is looked up
``worker_counts``     what it counts on the way of a run
"""
