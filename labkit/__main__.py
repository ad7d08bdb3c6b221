"""`python -m labkit` is `./lab`: every word of it is in commands/main.py."""

import sys

from labkit.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
