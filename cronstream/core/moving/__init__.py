"""What of an installation comes along when it moves to other logs."""
