"""The story of each command, readable top to bottom: load, split, build, train, examine, report.

Each command of the program has a twin here of the same name and options; the command line only parses and prints.
"""
