"""A Faust app, as this application needs it: what it replaces of Faust's, and why."""
