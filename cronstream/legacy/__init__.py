"""Moves a running installation from the old layout: one topic of plain JSON messages."""

from cronstream.legacy.mover import LegacyMover

__all__ = ["LegacyMover"]
