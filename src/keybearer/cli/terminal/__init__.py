"""Input and output: what commands print, ask and read."""
