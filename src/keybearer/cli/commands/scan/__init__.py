"""`keybearer scan`: finds leaked API keys in files and in the history of git repositories."""
