"""What people type: the ``cronstream`` command, and the options of Faust's worker."""
