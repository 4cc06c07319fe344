"""Messages, channels and events on the wire."""
