"""`keybearer doctor`: what is wrong with the credentials in force, and what mends it."""
