"""The kubectl line that a call equals: pure text, quoted for a shell."""

import shlex
from collections.abc import Iterable


def line(*words: str, command: Iterable[str] = (), **flags: object) -> str:
    """One kubectl line; flags that are None, False or empty are left out.

    >>> line("run", "ollama", image="ollama/ollama", env=["A=1"], rm=False, port=None)
    'kubectl run ollama --image=ollama/ollama --env=A=1'
    >>> line("exec", "pod/ollama", command=["ollama", "run", "lab-llama", "vi or emacs?"])
    "kubectl exec pod/ollama -- ollama run lab-llama 'vi or emacs?'"
    >>> line("scale", "deployment/ollama", replicas=0)
    'kubectl scale deployment/ollama --replicas=0'
    >>> line("delete", "pod/ollama", ignore_not_found=True)
    'kubectl delete pod/ollama --ignore-not-found'
    """
    said = ["kubectl", *words]
    for name, value in flags.items():
        flag = "--" + name.replace("_", "-")
        if value is True:
            said.append(flag)
        elif isinstance(value, list):
            said += [f"{flag}={one}" for one in value]
        elif value is not None and value is not False and value != "":  # 0 is a value
            said.append(f"{flag}={value}")
    command = list(command)
    return shlex.join([*said, *(["--", *command] if command else [])])


def with_input(line: str, text: str) -> str:
    r"""The line, with this text as its standard input: no byte more, no byte less.

    >>> print(with_input("kubectl apply --filename=-", "kind: Pod\n"))
    kubectl apply --filename=- <<'EOF'
    kind: Pod
    EOF
    >>> print(with_input("kubectl exec ollama --stdin -- sh", "ollama list"))
    printf %s 'ollama list' | kubectl exec ollama --stdin -- sh
    """
    if not text.endswith("\n"):  # a here-document always does
        return f"printf %s {shlex.quote(text)} | {line}"
    end = "EOF"
    while end in text.split("\n"):
        end += "_"
    return f"{line} <<'{end}'\n{text}{end}"
