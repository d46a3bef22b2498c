"""The keys of one process: whom it trusts, and what it signs with (see `cronstream.core.trust`)."""
