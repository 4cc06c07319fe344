"""`keybearer admin`: the operator's commands, on the server's own machine."""
