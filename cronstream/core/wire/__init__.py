"""What is on the topics: records, their checks, their names and their sizes."""
