"""One module for each group of commands. Every command is loaded only when it runs."""
