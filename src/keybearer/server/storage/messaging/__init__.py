"""Messages and channels, with everything that belongs to them, as rows."""
