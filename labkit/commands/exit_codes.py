"""The exit codes of `./lab`; 0 is yes, or done."""

NO, UNKNOWN, INTERRUPTED = 1, 2, 130
