"""Who is asking, and may they ask so often."""
