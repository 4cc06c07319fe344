"""The server: accounts, bots and their API keys, the settings pages, and Zulip's REST wire."""
