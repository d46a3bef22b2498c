"""Which runs are due between two moments, and what becomes of those that were missed."""
