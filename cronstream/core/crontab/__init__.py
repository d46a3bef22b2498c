"""From the text of a crontab to its jobs, every problem with its line and column."""
