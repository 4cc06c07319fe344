"""The documentation: its commands and code are run, its links lead somewhere, and its site builds."""
