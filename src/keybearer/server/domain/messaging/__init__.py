"""The rules of messages and channels."""
