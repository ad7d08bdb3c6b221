"""Writes docs/cli.md from the parser of the command line.

Run by hand when parser.py or the load engine's usage has changed: `python tools/cli.py`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from labkit.commands.parser import parser

FILE = Path(__file__).resolve().parents[1] / "docs" / "cli.md"
_INTRO = """\
# The command line

Generated from `labkit/commands/parser.py` by `python tools/cli.py`; edit that file. Each command
prints the same with `--help`.

`-o json` prints the result as JSON. {epilog}
Ctrl-C is safe at any point.

Another cluster than the lab's own, for example of a cloud or of Docker Desktop, needs a terminal
without the exports of `./lab env`: kubectl's own kubeconfig names the context.

```sh
./lab up --context my-cluster
./lab status --context my-cluster
./lab down --context my-cluster
```

| command | does |
|---|---|
"""


def wanted(top: argparse.ArgumentParser) -> str:
    """Return what docs/cli.md must hold for this parser."""
    (commands,) = (a for a in top._actions if isinstance(a, argparse._SubParsersAction))
    texts = {action.dest: action.help or "" for action in commands._choices_actions}
    page = _INTRO.format(epilog=top.epilog)
    for name in commands.choices:
        page += f"| [`{name}`](#lab-{name}) | {_sentence(texts[name])} |\n"
    return page + "".join(_section(name, sub) for name, sub in commands.choices.items())


def _section(name: str, sub: argparse.ArgumentParser) -> str:
    heading = f"\n## ./lab {name}\n\n"
    if sub.usage:  # the load engine's own text has its options
        return f"{heading}[load.md](load.md) has examples and the fields of the result.\n\n" + (
            f"```text\n{sub.description}```\n"
        )
    shown = [a for a in sub._actions if not isinstance(a, argparse._HelpAction)]
    shown.sort(key=lambda action: not action.option_strings)  # options, then what is not one
    words = ["./lab", name, *(f"[{_written(a)}]" if _optional(a) else _written(a) for a in shown)]
    text = f"{heading}```text\n{' '.join(words)}\n```\n\n{sub.description}\n"
    if shown:
        text += "\n| option | means |\n|---|---|\n"
        text += "".join(f"| `{_written(a)}` | {_means(a)} |\n" for a in shown)
    return text


def _optional(action: argparse.Action) -> bool:
    return bool(action.option_strings) or action.nargs in ("?", "*")


def _written(action: argparse.Action) -> str:
    """The option as one types it, such as `--route ROUTE`."""
    value = action.metavar or action.dest.upper()
    if not action.option_strings:
        return str(value)
    flag = action.option_strings[0]
    return flag if action.nargs == 0 else f"{flag} {value}"


def _means(action: argparse.Action) -> str:
    """The option's help, with the values that it takes."""
    values = ", ".join(f"`{one}`" for one in action.choices or [])
    return _sentence(f"{action.help}" + (f"; one of {values}" if values else ""))


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


if __name__ == "__main__":
    FILE.write_text(wanted(parser()))
