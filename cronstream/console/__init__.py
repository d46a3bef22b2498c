"""The console: pages that show what becomes of runs, for as long as people keep them.

``store``       the projection: a file, and its transactions
``writing``     what is written, in SQL: few statements for many rows
``answers``     what is asked of it
``tables``      its file
``rows``        stories as they stand in it
``projecting``  folds the ledgers into it, without a consumer group
``catching_up`` has other processes do so where there is much to read; ``progress``: how far it is
``installed``   what is in force and who is there, as it stands now
``halts``       the jobs that their discarded runs have paused
``pasts``       the revisions of jobs
``ahead``       what is due in the next hour
``output``      what commands wrote, read from Kafka when somebody looks
``live``        what they write, while somebody looks
``ansi``        its colours
``audits``      audits that somebody asks for
``serving``     one console: what it reads, keeps and answers
``app``         routes, and who may ask
``streams``     what is sent for as long as a browser is there
``asked``       what a request asks for
``visitors``    who asks, and whether they may change something
``actions``     the routes by which something is changed; ``acting`` does it
``once``        a button that is pressed twice
``notes``       what was done of late, for the page that is shown then
``sight``       what pages are made of
``pages``       what each page shows, as plain values: also its ``.json`` twin
``overview``    what is wrong now; ``job``, ``crontab`` and ``course`` (of a run) likewise
``words``       how pages write moments, lengths of time and states

It owns nothing: its file can be thrown away, and what it changes goes the way the commands go.
"""
