"""Rules and values. Nothing here does I/O or imports a third-party package."""
