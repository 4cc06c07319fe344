"""The zuliprc format and the resolution of credentials. Pure: no files, no network, no third-party package."""
