"""What to do next: remedies for the gaps of a ladder, each with a command, and the one to run first."""

from mlproj.advise.remedies import next_command as next_command
from mlproj.advise.remedies import remedies as remedies
