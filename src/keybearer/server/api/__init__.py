"""JSON in Zulip's format."""
