"""What people ask for between edits of the crontab, whoever asks: a command, or the console.

``connecting``  how Kafka is reached for it: found out within seconds, and an absent one is said
``publishing``  runs with a cause come on their clusters' logs
``believed``    whether those who are to heed it will
``jobs``        the jobs in force, and one of a name
``running``     a run at once
``given``       what a person gives to that run
``replaying``   discarded runs, once more
``pausing``     a job, or all jobs of a cluster, stop and go on
``cancelling``  runs end, and those that wait are dropped

Nothing is printed here, and nobody is asked: what is wrong is an error with one sentence.
"""
