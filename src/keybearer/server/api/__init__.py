"""JSON in Zulip's shape."""
