"""The frozen values that calls return, one module per noun, with the fields that programs use.

Everything else that the server sent is in `answer["name"]`. A field that only some servers or some accounts have is
None where it was not sent. `base.py` reads the values from JSON.
"""
