"""commands/main.py: how an error is told in a terminal."""

import io
import subprocess
import sys

import pytest

from labkit.commands import main, terminal
from labkit.errors import ApiSilent, NotFound
from labkit.setup.cluster import labs


@pytest.fixture
def failing(monkeypatch):
    """`failing(error)`: a command that raises it."""

    def make(error: Exception) -> None:
        def fail(options):
            raise error

        monkeypatch.setitem(main.COMMANDS, "status", fail)

    return make


@pytest.fixture
def own_terminal(monkeypatch):
    """A terminal whose kubectl acts on the lab."""
    monkeypatch.setattr(terminal, "KUBECONFIG", str(labs.Lab().kubeconfig))


@pytest.mark.usefixtures("own_terminal")
def test_what_to_try_is_a_line_for_this_terminal(failing, capsys):
    failing(NotFound("it is not there", "404", 'lab.get("pods") shows what is'))
    assert main.main(["status"]) == 1
    assert capsys.readouterr().err.splitlines() == [
        "NotFound: it is not there",
        "saw: 404",
        "try: kubectl get pods # shows what is",
    ]


@pytest.mark.usefixtures("own_terminal")
def test_the_context_that_was_given_is_in_the_line(failing, capsys, monkeypatch):
    monkeypatch.setenv("LAB_CONTEXT", "cloud")
    monkeypatch.setattr(terminal, "KUBECONFIG", str(labs.Lab("cloud").kubeconfig))
    failing(NotFound("it is not there", "404", "lab.reset()"))
    main.main(["status"])
    assert "try: ./lab reset --context cloud\n" in capsys.readouterr().err


@pytest.mark.parametrize("outside", ["", "/home/me/.kube/config"])
def test_a_terminal_whose_kubectl_acts_elsewhere_is_pointed_to_the_lab_first(
    failing, capsys, monkeypatch, outside
):
    monkeypatch.setattr(terminal, "KUBECONFIG", outside)
    failing(NotFound("it is not there", "404", 'lab.delete("pod/x")'))
    main.main(["status"])
    assert 'try: eval "$(./lab env)"; kubectl delete pod/x\n' in capsys.readouterr().err
    failing(ApiSilent("it does not answer", "nobody", "./lab status"))
    main.main(["status"])
    assert "try: ./lab status\n" in capsys.readouterr().err


def test_an_error_on_a_terminal_is_painted(failing, monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(screen, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(sys, "stderr", screen)
    # rich keeps a style as it was painted first: the same terminal as in tests/ui/test_colour.py
    variables = {"TERM": "xterm-256color", "COLORTERM": "truecolor", "NO_COLOR": ""}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    failing(ApiSilent("it does not answer", "nobody", "./lab status"))
    assert main.main(["status"]) == 2
    assert screen.getvalue().startswith("\x1b[1;")


def test_the_command_line_starts_without_what_only_some_commands_need():
    code = "import sys; from labkit.commands import main; print(*sys.modules)"
    words = [sys.executable, "-P", "-c", code]
    loaded = set(subprocess.run(words, capture_output=True, text=True, check=True).stdout.split())
    assert not loaded & {"dataclasses", "difflib", "shlex", "yaml", "httpx", "rich", "kubernetes"}
