"""One module for each group of commands. Every command is loaded when it runs, and not before."""
