"""Programs that are compared: each trains or searches in a process of its own and prints its figures as JSON."""
