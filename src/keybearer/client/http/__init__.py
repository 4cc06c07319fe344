"""Input, output and TLS: runners carry out the steps of a flow, and transports send its requests over httpcore2."""
