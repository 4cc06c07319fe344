"""Use cases of messages and channels."""
