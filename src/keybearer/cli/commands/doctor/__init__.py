"""`keybearer doctor`: what is wrong with the active credentials, and how to fix it."""
