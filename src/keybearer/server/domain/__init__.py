"""Rules and values; no I/O and no third-party package."""
