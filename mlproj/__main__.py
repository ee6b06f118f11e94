"""`python -m mlproj` is the same program as `mlproj`."""

from mlproj.cli import main

main()
