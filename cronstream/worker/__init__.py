"""A worker: folds its log, claims, has attempts made, and publishes what follows from them."""

from cronstream.worker.worker import Worker

__all__ = ["Worker"]
