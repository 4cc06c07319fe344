"""Calls as steps, without input or output: what to send, how to judge the response, when to wait and try again."""
