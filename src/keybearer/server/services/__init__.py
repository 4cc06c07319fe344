"""Use cases: one transaction and one audit event each."""
