"""The child processes of each worker that start commands, and the worker's handle to them.

``pool.py`` is the worker's side, with ``handle.py`` for each executor, ``child.py`` for its process
and ``backing_off.py`` for starts that fail; other packages import the pool, and the values in
``protocol.py``. Everything else runs in the child, which imports neither Faust nor pydantic.
"""
