"""What became of each run, as any process can read it from the ledgers.

``story``     the values: a run with all its attempts, as people see it
``log_story`` what one log says of one run
``draft``     a story while the logs that report it are still being read
``stories``   the stories of several clusters, from the messages of their logs: pure
``scope``     which part of the ledgers is read
``loading``   reads the logs, once or for ever, without a consumer group
``words``     stories in words, for people
``tail``      follows the logs for ever
``fields``    stories as plain fields, for JSON
``discards``  what is on the discarded topics, and what was replayed of it
"""
