"""Makes `.venv` when it is not there whole, then runs `python -m labkit` in it.

Run as a script by `lab`, with any Python from 3.11 on and its standard library alone.

| stamp | written when this is whole | made from |
|---|---|---|
| `.venv/.lab` | what a learner needs | requirements.txt |
| `.venv/.lab-test` | what `./lab test` needs too, added by the first | requirements-test.txt |

A stamp is written last and says what its part was made from: a part without it, or with another
text in it, is not taken for a whole one. Each package is compared with its hashes; only a Python
newer than those files know gets what pyproject.toml names. Everything but `os` and `sys` is
imported only where something has to be made, because every `./lab` passes here.
"""

import os
import sys

# Measured on a busy machine with Debian 12, everything compiled: 488 MB, and 257 MB in 22 s for the
# test tools without those of the documentation site, which are 80 MB more. pip keeps the wheels of
# each part beside it until that is installed.
SIZE_MB = 490
NEEDS_FREE_MB = 1000
TEST_TOOLS = "20 s, 340 MB"
SAY_EVERY_S = 5
# The newest Python that requirements.txt was made for is the one before this.
LOCKED_BEFORE = (3, 15)
BEGUN = "begun\n"


class Failed(Exception):
    """Three lines for a person; labkit.errors cannot be imported before `.venv` is there."""

    def __init__(self, happened: str, saw: str, hint: str) -> None:
        super().__init__(f"{happened}\nsaw: {saw}\ntry: {hint}")


class Venv:
    """Where the environment of one project folder is, and what it must be made from."""

    def __init__(self, root: str) -> None:
        self.root = root
        self.folder = os.path.join(root, ".venv")
        self.python = os.path.join(self.folder, "bin", "python")
        self.stamp = os.path.join(self.folder, ".lab")
        self.test_stamp = os.path.join(self.folder, ".lab-test")
        self.lock = os.path.join(root, ".venv.lock")
        self.log = os.path.join(root, ".venv.log")
        self.begun = 0.0
        # Its scripts hold absolute paths, and its packages are of one Python version.
        self.made_for = f"Python {sys.version_info[0]}.{sys.version_info[1]} in {root}\n"
        locked = read(os.path.join(root, "requirements.txt"))
        self.wanted = self.made_for + locked + read(os.path.join(root, "pyproject.toml"))
        self.test_wanted = self.made_for + read(os.path.join(root, "requirements-test.txt"))

    def fault(self) -> str:
        """Why the environment cannot be used as it is; empty when it can."""
        if not os.path.isdir(self.folder):
            return "it is not there"
        if not self.starts():
            return "its Python does not start"
        text = read(self.stamp)
        if text == self.wanted:
            return ""
        if not text:
            return "it was not finished"
        if not text.startswith(self.made_for):
            return "it was made for " + text.partition("\n")[0]
        project = read(os.path.join(self.root, "pyproject.toml"))
        file = "requirements.txt" if text.endswith(project) else "pyproject.toml"
        return file + " has changed"

    def test_fault(self) -> str:
        """Why the test tools in the environment cannot be used; empty when they can."""
        text = read(self.test_stamp)
        if text == self.test_wanted:
            return ""
        if not text:
            return "they are not there"
        return "they were not finished" if text == BEGUN else "requirements-test.txt has changed"

    def starts(self) -> bool:
        if sys.executable == self.python:
            return True
        import subprocess

        quiet = {"stdin": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        try:
            return subprocess.run([self.python, "-I", "-c", ""], **quiet).returncode == 0
        except OSError:
            return False


def read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="") as file:
            return file.read()
    except FileNotFoundError:
        return ""


def make(venv: Venv, with_tests: bool) -> float:
    """Make or repair the environment, one at a time; the seconds it took, 0 if it was there."""
    import fcntl
    import time

    with open(venv.lock, "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another ./lab is making the Python environment; waiting for it …")
            wait_for_lock(lock)
        fault = venv.fault()
        if not fault and not (with_tests and venv.test_fault()):
            return 0.0
        venv.begun = time.monotonic()
        check_disk(venv)
        with open(venv.log, "w", encoding="utf-8", errors="surrogateescape") as log:
            if fault:
                install(venv, fault, log, lock.fileno())
            if with_tests and venv.test_fault():
                install_test_tools(venv, log, lock.fileno())
        seconds = time.monotonic() - venv.begun
        say(f"the Python environment is ready ({seconds:.0f} s)")
        return seconds


def wait_for_lock(lock) -> None:
    import fcntl
    import time

    begun = said = time.monotonic()
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(0.1)
        if time.monotonic() - said >= SAY_EVERY_S:
            said = time.monotonic()
            say(f"  {said - begun:3.0f} s  still waiting")


def install(venv: Venv, fault: str, log, lock: int) -> None:
    """Make what a learner needs, under the lock of `make`."""
    import shutil

    if fault.endswith(" has changed"):
        say(f"{fault}: bringing .venv up to date …")
        remove(venv.stamp)
    else:
        say(f"making the Python environment in .venv (about 1 minute, {SIZE_MB} MB): {fault} …")
        check_venv_module()
        # The Python that runs this can be the one in the folder to be removed.
        python = os.path.realpath(sys.executable)
        # First, so that a folder half removed is not taken for a whole one.
        remove(venv.stamp)
        if os.path.isdir(venv.folder) and not os.path.islink(venv.folder):
            shutil.rmtree(venv.folder)
        else:
            remove(venv.folder)
        run([python, "-I", "-m", "venv", venv.folder], "python -m venv", venv, log, lock)
    if sys.version_info < LOCKED_BEFORE:
        pip_install(
            ["--no-deps", "--require-hashes", "--requirement=requirements.txt"], venv, log, lock
        )
        # What builds it is in requirements.txt too: nothing comes without a hash.
        pip_install(["--no-deps", "--no-build-isolation", "--editable=."], venv, log, lock)
    else:
        pip_install(["--editable=.[model]"], venv, log, lock)
    write_stamp(venv.stamp, venv.wanted)


def install_test_tools(venv: Venv, log, lock: int) -> None:
    """Add what `./lab test` needs; a learner's part stays whole, however this ends."""
    fault = venv.test_fault()
    say(f"adding the test tools to .venv (about {TEST_TOOLS}): {fault} …")
    if sys.version_info < LOCKED_BEFORE:
        words = ["--no-deps", "--require-hashes", "--requirement=requirements-test.txt"]
    else:
        words = ["--editable=.[test]"]
    if read(venv.test_stamp) == BEGUN:
        # pip takes a package half unpacked for an installed one.
        words.append("--ignore-installed")
    write_stamp(venv.test_stamp, BEGUN)
    pip_install(words, venv, log, lock)
    write_stamp(venv.test_stamp, venv.test_wanted)


def pip_install(words: list, venv: Venv, log, lock: int) -> None:
    # -I: neither PYTHONPATH nor the user's own packages have a say in what is installed.
    pip = [venv.python, "-I", "-m", "pip", "--no-input", "--disable-pip-version-check", "install"]
    pip.append("--progress-bar=off")
    # Compiling what is used when it is used is quicker than compiling all now (22 s of
    # processor time in place of 34). Where Python may not keep what it compiles, every
    # start would pay for it.
    if not os.environ.get("PYTHONDONTWRITEBYTECODE"):
        pip.append("--no-compile")
    run(pip + words, "pip", venv, log, lock)


def remove(file: str) -> None:
    import contextlib

    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        os.remove(file)


def write_stamp(stamp: str, text: str) -> None:
    aside = stamp + ".new"
    with open(aside, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        file.write(text)
    os.replace(aside, stamp)


def run(command: list, name: str, venv: Venv, log, lock: int) -> None:
    """Run one command into the log, saying how far it is every few seconds."""
    import subprocess
    import time

    log.write("$ " + " ".join(command) + "\n")
    log.flush()
    process = subprocess.Popen(
        command,
        cwd=venv.root,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=subprocess.STDOUT,
        # Whoever sets these for his own pip did not mean this environment.
        env={**os.environ, "PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"},
        # The child holds the lock too: killed, this process leaves no pip behind it that
        # writes into what the next ./lab makes.
        pass_fds=[lock],
    )
    try:
        while True:
            try:
                code = process.wait(SAY_EVERY_S)
                break
            except subprocess.TimeoutExpired:
                say(f"  {time.monotonic() - venv.begun:3.0f} s  {last_line(venv.log)}")
    finally:
        if process.poll() is None:
            stop(process)
    if code != 0:
        raise_failed(name, code, venv)


def stop(process) -> None:
    import signal
    import subprocess

    # After an interrupt pip removes what it has unpacked in /tmp.
    process.send_signal(signal.SIGINT)
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def raise_failed(name: str, code: int, venv: Venv) -> None:
    lines = [line.rstrip() for line in read(venv.log).splitlines() if line.strip()]
    say(f"the last lines of {venv.log}:")
    for line in lines[-8:]:
        say("  " + line[:200])
    # pip: `ERROR: No matching distribution ...`; a build backend: `OSError: ...`, indented.
    telling = [line for line in lines if line.split()[0].endswith(("ERROR:", "Error:"))]
    raise Failed(
        f"BuildFailed: the Python environment was not made ({name} ended with {code})",
        (telling or lines)[-1].strip()[:300],
        f"./lab again when the package index can be reached (the whole output is in {venv.log})",
    )


def last_line(path: str) -> str:
    lines = [line for line in read(path).splitlines() if line.strip()]
    return lines[-1].strip()[:70] if lines else ""


def check_disk(venv: Venv) -> None:
    import shutil

    free_mb = shutil.disk_usage(venv.root).free // 1_000_000
    if free_mb < NEEDS_FREE_MB:
        raise Failed(
            "NotEnoughDisk: the Python environment was not made",
            f"{free_mb} MB free in {venv.root}, {NEEDS_FREE_MB} MB are needed",
            "free some space there, or clone the project on another disk",
        )


def check_venv_module() -> None:
    try:
        import ensurepip
        import venv
    except ImportError as error:
        raise Failed(
            "ToolMissing: the Python environment was not made",
            f"{sys.executable} has no module {error.name}",
            "apt install python3-venv (Debian, Ubuntu), then ./lab again",
        ) from None
    del ensurepip, venv


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    here = os.path.dirname(os.path.abspath(__file__))
    venv = Venv(os.path.dirname(os.path.dirname(os.path.dirname(here))))
    with_tests = sys.argv[1:2] == ["test"] and not {"-h", "--help"}.intersection(sys.argv)
    seconds = 0.0
    if venv.fault() or (with_tests and venv.test_fault()):
        is_bundle = any(word.startswith("--bundle") for word in sys.argv)
        if is_bundle and not os.environ.get("LAB_BUNDLE_WHEELS"):  # it makes .venv, and comes back
            script = os.path.join(venv.root, "labkit", "bundle", "wheels.py")
            return os.execv(sys.executable, [sys.executable, "-I", "-S", script, *sys.argv[1:]])
        import signal

        # Ends by an exception, so that pip ends too.
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        signal.signal(signal.SIGHUP, lambda number, frame: sys.exit(128 + number))
        try:
            seconds = make(venv, with_tests)
        except Failed as failed:
            say(str(failed))
            return 2
        except OSError as error:
            say(f"BuildFailed: the Python environment was not made\nsaw: {error}")
            say(f"try: ./lab again when {venv.root} can be written to")
            return 2
        except KeyboardInterrupt:
            again = (
                "./lab makes the Python environment"
                if venv.fault()
                else "./lab test adds its tools"
            )
            say(f"interrupted; the next {again} again")
            return 130
    environ = dict(os.environ)
    environ.pop("LAB_VENV_SECONDS", None)
    if seconds:
        environ["LAB_VENV_SECONDS"] = f"{seconds:.1f}"
    # -P: a file json.py where the learner happens to be is not imported in place of Python's.
    return os.execve(venv.python, [venv.python, "-P", "-m", "labkit", *sys.argv[1:]], environ)


if __name__ == "__main__":
    sys.exit(main())
