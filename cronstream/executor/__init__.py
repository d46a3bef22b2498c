"""The child process of each worker that starts commands, and the worker's handle to it.

``handle.py`` is the worker's side and all that other packages import, with the values in
``protocol.py``; everything else runs in the child, which imports neither Faust nor pydantic.
"""
