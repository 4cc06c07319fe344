"""Messages, channels and what belongs to them, as rows."""
