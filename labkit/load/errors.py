"""What the load engine refuses: what happened, what was seen, what to try."""


class LoadError(Exception):
    """One line each: happened, saw, hint; `labkit.measure.load_test` turns it into a LabError.

    >>> print(LoadError("no requests to send", "-n 0", "-n 200"))
    LoadError: no requests to send
    saw: -n 0
    try: -n 200
    """

    exit_code = 2

    def __init__(self, happened: str, saw: str, hint: str) -> None:
        super().__init__(happened, saw, hint)
        self.happened, self.saw, self.hint = happened, saw, hint

    def __str__(self) -> str:
        return f"LoadError: {self.happened}\nsaw: {self.saw}\ntry: {self.hint}"
