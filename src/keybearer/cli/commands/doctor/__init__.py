"""`keybearer doctor`: what is wrong with the credentials in force, and how to fix it."""
