"""Controls in a notebook, with what they choose as a plain value; elsewhere that value alone.

The only file that imports ipywidgets, and only inside a kernel.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from labkit.errors import LabError
from labkit.ui.notebook import Shown, click, display, in_notebook
from labkit.ui.terminal import write


class Choice(Shown):
    """One of several values: buttons in a notebook, and everywhere a plain `.value`.

    >>> replicas = choice("replicas", [1, 2, 4], 2)
    >>> replicas.value = 4
    >>> replicas
    replicas: 4 (of 1, 2, 4)
    """

    def __init__(self, label: str, options: Sequence[Any], value: Any, control: Any) -> None:
        self.label, self.options, self._control = label, list(options), control
        self.value = value

    @property
    def value(self) -> Any:
        return self._control.value

    @value.setter
    def value(self, value: Any) -> None:
        if value not in self.options:
            said = ", ".join(map(str, self.options))
            raise LabError(f"{self.label} cannot be {value!r}", f"options: {said}", "one of them")
        self._control.value = value

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        shown = self._control._repr_mimebundle_() if in_notebook() else {}
        return {**shown, "text/plain": repr(self)}  # what is left without a front end

    def __repr__(self) -> str:
        return f"{self.label}: {self.value} (of {', '.join(map(str, self.options))})"


def choice(label: str, options: Sequence[Any], value: Any) -> Choice:
    """Return a control that a learner changes, and that code reads and sets: `.value`.

        replicas = lab.choice("replicas", [1, 2, 4], 2)

    Buttons or a list in a notebook; elsewhere the plain value.
    """
    if not in_notebook():
        return Choice(label, options, value, SimpleNamespace(value=value))
    import ipywidgets

    kind = ipywidgets.ToggleButtons if len(options) <= 5 else ipywidgets.Dropdown
    control = kind(
        options=[(str(option), option) for option in options],
        description=label,
        style={"description_width": "initial"},
    )
    made = Choice(label, options, value, control)
    display(made._repr_mimebundle_())
    return made


class Panel(Shown):
    """A list to choose from, and buttons that do something with the one that is chosen.

    >>> fruit = panel("fruit", ["apple", "pear"], {"eat": print}, '{}("{}")'.format)
    eat("apple")
    >>> fruit.value = "pear"
    >>> fruit.press("eat")
    pear
    """

    def __init__(
        self,
        label: str,
        options: Sequence[str],
        actions: dict[str, Callable[[str], object]],
        call: Callable[[str, str], str],
    ) -> None:
        self._actions, self._call = actions, call
        self._chosen = Choice(label, options, options[0], SimpleNamespace(value=options[0]))
        self._widget: Any = None

    @property
    def value(self) -> str:
        """The one that is chosen."""
        chosen: str = self._chosen.value
        return chosen

    @value.setter
    def value(self, value: str) -> None:
        self._chosen.value = value

    def press(self, action: str) -> object:
        """Do what that button does: return and raise the same."""
        return self._actions[action](self.value)

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        shown = self._widget._repr_mimebundle_() if self._widget else {}
        return {**shown, "text/plain": repr(self)}

    def __repr__(self) -> str:
        return "\n".join(self._call(action, self.value) for action in self._actions)

    def _build(self) -> None:
        """The widgets. A click is answered after the cells that run, or beside them in a thread."""
        import ipywidgets

        options, style = self._chosen.options, {"description_width": "initial"}
        named = {"description": self._chosen.label, "layout": {"width": "max-content"}}
        chosen = ipywidgets.Dropdown(options=options, value=self.value, style=style, **named)
        self._chosen._control = chosen
        buttons = {
            action: ipywidgets.Button(description=action, tooltip=self._call(action, "…"))
            for action in self._actions
        }
        output, alone = ipywidgets.Output(), threading.Lock()
        controls = [chosen, *buttons.values()]

        def clicked(button: Any) -> None:
            with alone:
                for control in controls:
                    control.disabled = True
                try:
                    output.clear_output()
                    with output:
                        self._tell(button.description)
                finally:
                    for control in controls:
                        control.disabled = False

        for button in buttons.values():
            button.on_click(clicked)
        row = {"flex_flow": "row wrap"}
        self._widget = ipywidgets.VBox([ipywidgets.HBox(controls, layout=row), output])

    def _tell(self, action: str) -> None:
        """The same as `press`, with the call above it, and an error as its three lines."""
        click.runs = True
        try:
            write(f">>> {self._call(action, self.value)}\n")
            self.press(action)
        except LabError as error:
            write(f"{error}\n")
        except KeyboardInterrupt:  # told already, and there is no cell that it could end
            return
        finally:
            click.runs = False


def panel(
    label: str,
    options: Sequence[str],
    actions: dict[str, Callable[[str], object]],
    call: Callable[[str, str], str],
) -> Panel:
    """A list and buttons in a notebook; elsewhere the plain calls that they stand for.

        panel("step", ["a", "b"], {"check": lab.check}, 'lab.{}("{}")'.format)

    `call` gives the text of a button's call, from its name and the chosen value.
    """
    made = Panel(label, options, actions, call)
    if in_notebook():
        made._build()
        display(made._repr_mimebundle_())
    else:
        print(made)
    return made
