"""All notebooks one after another by Run All in a real JupyterLab: part of `./lab test long`.

Nothing is reset between them: each must begin well with what the one before has left. A picture of
each is among the artefacts, with its last output in sight.
"""

import time

import pytest

from labkit.setup.host import speed
from tests.browser.conftest import OUTPUTS, ROOT, RUN_ALL, SOLVE, kept, opened

NAMES = sorted(file.stem for file in (ROOT / "notebooks").glob("[0-9]*.ipynb"))
NOTEBOOK_S = 480


@pytest.mark.parametrize("name", NAMES)
def test_run_all_of_every_notebook_ends_without_an_error(browser, jupyter, name):
    # `reset`: without it JupyterLab opens the tabs of the notebook before as well
    page = opened(browser, jupyter.url.replace("00-start", name) + "&reset", [])
    page.evaluate(SOLVE)
    page.evaluate(RUN_ALL)
    deadline = time.monotonic() + speed.deadline(NOTEBOOK_S)
    while not page.evaluate("() => window.labDone"):
        assert time.monotonic() < deadline, f"{name} had not ended"
        time.sleep(0.5)
    cells = page.evaluate(OUTPUTS)
    page.locator(".jp-OutputArea-output:visible").last.scroll_into_view_if_needed()
    kept(page, f"every-{name}")
    page.context.close()
    assert all(cell["count"] for cell in cells)
    errors = [out for cell in cells for out in cell["outputs"] if out["output_type"] == "error"]
    assert errors == []
