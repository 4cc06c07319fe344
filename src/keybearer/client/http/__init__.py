"""Connections: what sends the requests of a flow over httpx2, and TLS."""
