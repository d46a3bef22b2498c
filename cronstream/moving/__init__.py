"""Takes what is live of an installation to other topics: see docs/moving.md."""
