"""The frozen values that calls return, and the base that they are read by."""
