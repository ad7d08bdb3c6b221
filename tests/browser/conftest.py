"""A real Chromium on a JupyterLab of the tests' own, which works on the running lab.

The learner's server, copies and home are left alone: folders of its own for all three.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from labkit.jupyter import executed
from labkit.setup.cluster import labs
from labkit.setup.host import docker, paths, speed

ROOT = Path(__file__).resolve().parents[2]
FLAGS = (
    *("--disable-gpu", "--disable-quic", "--no-first-run", "--disable-dev-shm-usage"),
    # else Chromium itself asks its maker's hosts, and a page that does would not stand out
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
)
KERNEL_IDLE = """() => {
  const session = window.jupyterapp?.shell.currentWidget?.sessionContext?.session;
  return session?.kernel?.status === "idle";
}"""
RUN_ALL = """() => {
  window.labDone = false;
  window.jupyterapp.commands.execute("notebook:run-all-cells").then(() => window.labDone = true);
}"""
# as a learner who copies each solution into the cell of its exercise
SOLVE = """() => {
  const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
  for (let i = 0; i + 1 < cells.length; i++) {
    if (!(cells.get(i).getMetadata("tags") || []).includes("exercise")) continue;
    const folded = cells.get(i + 1).sharedModel.getSource();
    cells.get(i).sharedModel.setSource(folded.split("```python\\n")[1].split("\\n```")[0]);
  }
}"""
OUTPUTS = """() => {
  const cells = window.jupyterapp.shell.currentWidget.content.model.cells;
  const found = [];
  for (let i = 0; i < cells.length; i++) {
    const cell = cells.get(i);
    if (cell.type === "code") {
      found.push({count: cell.executionCount, outputs: cell.outputs.toJSON()});
    }
  }
  return found;
}"""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker("cluster")


class Jupyter(NamedTuple):
    """The server of the tests: its address, the folder of copies, the user's home."""

    url: str
    work: Path
    home: Path


@pytest.fixture(scope="session")
def chromium() -> str:
    """A Chromium of the distribution, installed where that can be done."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if not found and os.geteuid() == 0 and shutil.which("apt-get"):
        docker.apt_install("chromium", "fonts-dejavu-core")
        found = shutil.which("chromium")
    if not found:
        reason = "there is no Chromium, and it cannot be installed without root and apt-get"
        assert not os.environ.get("CI"), reason
        pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def kubectl() -> Callable[..., str]:
    """Runs kubectl in the learner's namespace, or in $LAB_NAMESPACE; what it printed."""

    def run(*words: str) -> str:
        command = [ROOT / "lab", "env", "-o", "json"]
        values = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        env = {**os.environ, "KUBECONFIG": values["KUBECONFIG"]}
        space = f"--namespace={os.environ.get('LAB_NAMESPACE', labs.LEARNER)}"
        command = [Path(values["PATH"]) / "kubectl", space, *words]
        done = subprocess.run(
            command, env=env, capture_output=True, text=True, timeout=speed.deadline(90), check=True
        )
        return done.stdout

    return run


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory, kubectl) -> Iterator[Jupyter]:
    """`./lab notebook`, started for the tests and ended after them."""
    folder = tmp_path_factory.mktemp("jupyter")
    state = folder / "state" / "labkit"
    # all that is known of the lab; not the learner's server, nor who works on the lab now
    others = shutil.ignore_patterns("jupyter*", "namespaces", "lock")
    shutil.copytree(paths.state(), state, ignore=others)
    settings = state / "jupyter" / "config" / "jupyter_lab_config.json"
    settings.parent.mkdir(parents=True)
    # for these tests only: lets a script in the page ask JupyterLab what it holds
    settings.write_text(json.dumps({"LabApp": {"expose_app_in_browser": True}}))
    home = folder / "home"
    home.mkdir()
    env = {
        **os.environ,
        "HOME": str(home),
        "XDG_STATE_HOME": str(folder / "state"),
        "XDG_CACHE_HOME": str(paths.cache().parent),
        "LAB_WORK": str(folder / "work"),
    }
    python = [ROOT / ".venv" / "bin" / "python", "-P"]
    words = [*python, "-m", "labkit", "notebook", "-o", "json"]
    kubectl("delete", "pod", "--all", "--now")
    done = subprocess.run(
        words, env=env, capture_output=True, text=True, timeout=speed.deadline(90), check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    yield Jupyter(json.loads(done.stdout)["url"], folder / "work", home)
    stop = "from labkit.jupyter import server as jupyter; jupyter.stop()"
    subprocess.run([*python, "-c", stop], env=env, timeout=speed.deadline(60), check=True)
    kubectl("delete", "pod", "--all", "--now")


@pytest.fixture(scope="session")
def requests() -> list[str]:
    """The addresses that the page has asked, from the first on."""
    return []


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        browser.close()


def opened(browser: Browser, url: str, requests: list[str]) -> Page:
    """JupyterLab at that URL in a window of its own, its kernel idle."""
    page = browser.new_context(viewport={"width": 1400, "height": 1000}).new_page()
    page.set_default_timeout(speed.deadline(60_000))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(url, wait_until="domcontentloaded")
    page.wait_for_function("() => window.jupyterapp?.started")
    page.wait_for_function(KERNEL_IDLE)
    return page


@pytest.fixture(scope="session")
def page(browser: Browser, jupyter: Jupyter, requests: list[str]) -> Page:
    """JupyterLab as the printed URL opens it."""
    return opened(browser, jupyter.url, requests)


def kept(page: Page, name: str) -> None:
    """A picture of the page among the artefacts."""
    folder = executed.folder()
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"{name}.png")


@pytest.fixture
def screenshot(page: Page) -> Callable[[str], None]:
    """Keeps a picture of the page among the artefacts."""
    return lambda name: kept(page, name)
