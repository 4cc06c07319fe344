"""Calls as generators of steps, without input or output: what to send, what a response means, when to try again."""
