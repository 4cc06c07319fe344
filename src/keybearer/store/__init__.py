"""Credentials on this machine: files, profiles and password commands."""
