"""What is sent to others about runs, to servers on this machine."""
