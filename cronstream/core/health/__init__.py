"""Whether a process does what it is there for: facts in, judgements out."""
