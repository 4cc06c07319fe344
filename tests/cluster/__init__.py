"""PostgreSQL with a standby, application hosts and a proxy, each with an address of its own on this machine."""
