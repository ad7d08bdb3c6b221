"""`lab.start()` with the progress line of its notebook, and what becomes of it as steps pass."""

from __future__ import annotations

import datetime

from labkit.kube import session
from labkit.kube.session import Session
from labkit.learner import passed as record
from labkit.learner import progress_line
from labkit.lessons import steps
from labkit.ui import notebook, notebook_file, units


def start(namespace: str | None = None) -> Session:
    """Point this kernel at the lab and at your namespace; the first line of a notebook.

    Afterwards `!kubectl`, `!helm` and `%%bash` act there too (KUBECONFIG, PATH and MODEL are
    set), and a `!command` that fails makes its cell fail. The namespace is `lab`, or
    $LAB_NAMESPACE; it must carry the lab's label, so nothing else is ever touched.

        lab.start()

    In a lesson it also shows your progress: which of its steps you have passed, and when. That
    line is kept up to date while you run the cells below.

    Raises NotUp, NamespaceNotOurs, ApiSilent.
    """
    here = session.start(namespace)
    if lesson := _lesson():
        progress_line.show(lesson, *_progress(lesson, here))
    return here


def passed(step: str, here: Session) -> str:
    """Keep that a step is passed, and update the line; what to add to the words of the check."""
    is_kept = record.keep(step, here.context, here.namespace)
    lesson = step.partition("/")[0]
    names, found = _progress(lesson, here)
    if lesson == _lesson():
        progress_line.update(lesson, names, found)
    if not is_kept:
        return " (this could not be written to your folder of notebooks)"
    return (
        f" ({len(found)} of {units.count(len(names), 'step')} of {lesson} passed)" if found else ""
    )


def kept(here: Session) -> dict[str, datetime.datetime]:
    """Step → when it was first passed in the session's namespace."""
    return record.kept(here.context, here.namespace)


def clock(passed_at: str) -> str:
    """The time of a verdict's `passed_at`, as a learner reads it; empty for an empty one."""
    return record.clock(datetime.datetime.fromisoformat(passed_at)) if passed_at else ""


def _progress(lesson: str, here: Session) -> tuple[list[str], dict[str, datetime.datetime]]:
    """The steps of a lesson by their short names, and when each was passed."""
    at = kept(here)
    ids = [step.id for step in steps.STEPS if step.notebook == lesson]
    short = {id_: id_.partition("/")[2] for id_ in ids}
    return list(short.values()), {short[id_]: at[id_] for id_ in ids if id_ in at}


def _lesson() -> str:
    """The lesson that this kernel runs, also as a copy NAME.new.ipynb; empty where it is none."""
    if not notebook.in_notebook():
        return ""
    file = notebook_file.place(notebook.shell().user_ns)
    name = file.name.partition(".")[0] if file else ""
    return name if any(step.notebook == name for step in steps.STEPS) else ""
