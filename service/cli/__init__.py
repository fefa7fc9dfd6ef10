"""The command line: parse, call, print. Every error is one Chinese sentence with a code; the exit code tells its kind.

Exit codes: 0 done, 2 the input is wrong, 3 the machine or the installation, 4 refused by a rule of the house,
130 interrupted.
"""

from service.cli.main import main

__all__ = ["main"]
