"""A worker: folds its log, claims, has attempts made, and publishes what follows from them."""

from cronstream.worker.duty import WorkerDuty
from cronstream.worker.health import WorkerSubject
from cronstream.worker.making import new_member
from cronstream.worker.peer import WorkerPeer
from cronstream.worker.worker import Worker

__all__ = ["Worker", "WorkerDuty", "WorkerPeer", "WorkerSubject", "new_member"]
