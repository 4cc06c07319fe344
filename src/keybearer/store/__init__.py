"""Where credentials lie on this machine: files, profiles and password commands."""
