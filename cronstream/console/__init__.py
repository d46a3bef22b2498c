"""The console: pages that show what becomes of runs, for as long as people keep them.

``store``       the projection: what is written and asked, in SQL
``tables``      its file
``rows``        stories as they stand in it
``projecting``  folds the ledgers into it, without a consumer group
``installed``   what is in force and who is there, as it stands now
``output``      what commands wrote, read from Kafka when somebody looks
``serving``     one console: what it reads, keeps and answers
``app``         routes, and who may ask
``pages``       what each page shows, as plain values: also its ``.json`` twin
``overview``    what is wrong now
``words``       how pages write moments, lengths of time and states

It owns nothing: its file can be thrown away, and what it changes goes the way the commands go.
"""
