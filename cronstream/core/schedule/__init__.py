"""When a job is due: schedules, zones, durations."""
