"""What is on the topics: records, their checks, their names and their sizes.

``runs``          jobs, and runs with all that holds for them
``entries``       what schedulers, workers and people put on a log
``installation``  what is said of the installation itself
``messages``      all of them; ``record`` what each of them is
``enumerations``  words of which there are only so many
``levels``        since which level of the wire each kind, field and value counts
``codec``         between a record and its bytes; ``values`` checks each field
``fitting``       makes a record fit that is too large; ``sizes`` says how large one may be
``job_messages``  reads the ``jobs`` topic
``pieces``        rows of tables in pieces, where one message does not hold them
``naming``        names of topics, tables and groups; ``times`` how times are written
"""
