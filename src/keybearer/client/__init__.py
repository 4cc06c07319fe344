"""The client of Zulip's API, synchronous and asynchronous, on credentials."""
