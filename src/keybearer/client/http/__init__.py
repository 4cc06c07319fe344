"""Input and output: runners carry out the steps of a flow, transports send its requests over httpx2, and TLS."""
