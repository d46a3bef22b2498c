"""A worker: folds its log, claims, has attempts made, and publishes what follows from them."""

from cronstream.worker.making import new_member, new_name
from cronstream.worker.worker import Worker

__all__ = ["Worker", "new_member", "new_name"]
