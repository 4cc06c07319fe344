"""The whole main job in a throw-away directory: `make demo`."""
