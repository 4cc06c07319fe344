"""The calls of Zulip's API as values, one module per noun. Pure: the clients carry them out."""
