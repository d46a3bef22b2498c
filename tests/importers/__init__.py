"""What comes of other cron programs' files."""
