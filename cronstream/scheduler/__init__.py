"""The scheduler: tick, what is due, publish.

``duty``         what a process does in this role, from its start to its end
``scheduler``    `Scheduler`: what Faust calls
``firing``       publishes a shard's plan, and moves its cursor once the broker has it
``learning``     has them learn what has come on ``jobs``, of very much a part at a time
``holding``      what is known of the shards that are fired here
``sending``      puts its entries on the logs, and knows who has not taken them
``lagging``      sees to partitions that take nothing: set aside, and published once they do
``obstacles``    what is in the way of such a partition, as people are shown it
``handing_over`` hands over what follows a run of another cluster to that one's log
``zones``        makes way for a scheduler that knows a job's time zone, where this one does not
``renewal``      notices logs that were deleted and recreated
``plan_log``     what is logged of a plan once it is published
``announcing``   says on the logs which level their entries may have
``following``    puts the crontab's changes on the ``jobs`` topic
``news``         whether something has come on that topic, without asking twice
``foreign``      what others have put there
``putting``      puts definitions there; ``signing`` says again those that are not signed yet
``steering``     has them say what people have asked of jobs: to pause, or to go on
``holding_back`` whether a crontab takes out so much that it waits for a word
``edit_log``     what is logged of an edit
``recalling``    takes an unchanged crontab for what is in force, and does not read it
``belonging``    whether the crontab here is one of the installation whose jobs are in force
``memory``       what is remembered of that in the data folder
``clock_check``  refuses a clock that is ahead of the log's
``jobs_view``    shows the jobs that are fired here
``health``       the facts from which its health is judged
``peer``         what it announces to other processes, and does about what they announce
``standing_by``  says how its file differs while it is another scheduler's turn
``world``        what it reaches the world through
"""

from cronstream.scheduler.duty import SchedulerDuty
from cronstream.scheduler.health import SchedulerSubject
from cronstream.scheduler.jobs_view import JobsView
from cronstream.scheduler.peer import SchedulerPeer
from cronstream.scheduler.scheduler import Scheduler

__all__ = ["JobsView", "Scheduler", "SchedulerDuty", "SchedulerPeer", "SchedulerSubject"]
