"""The child processes of each worker that start commands, and the worker's handle to them.

``pool.py`` is the worker's side, with ``handle.py`` for each executor, and all that other packages
import, with the values in ``protocol.py``; everything else runs in the child, which imports neither
Faust nor pydantic.
"""
