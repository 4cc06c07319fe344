"""Use cases. Each makes one transaction and one audit event."""
