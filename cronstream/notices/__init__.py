"""What is sent to others about runs: pings of monitors, and webhooks. It never keeps a run waiting.

Whoever has a notice to send puts it here and goes on. All else is done by a thread of its own, with
an event loop of its own: addresses are read there, names resolved, and answers waited for, so a
server that hangs, a file system that does, and a slow resolver are nothing to a worker. Nothing is
kept on Kafka: a notice is sent at best, a few times, within a minute.

``notice``   what there is to send, and its request
``pings``    what monitors are sent about attempts: healthchecks.io, and Sentry's crons
``verdicts`` what webhooks are sent about the verdicts of runs
``address``  where an address is, and what may be one
``answer``   what came of one try
``post``     one try by HTTP, and by mail
``mail``     one try by SMTP
``sender``   the tries of all notices, each run's in their order
``outpost``  the thread
"""
