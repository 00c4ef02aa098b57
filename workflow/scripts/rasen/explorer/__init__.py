"""The explorer: a folder with a page in which people see and hear the results."""
