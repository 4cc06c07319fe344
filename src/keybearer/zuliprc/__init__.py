"""The zuliprc format and the resolution of credentials: pure, no files, no network, no third-party package."""
