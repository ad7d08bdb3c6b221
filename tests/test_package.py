"""The package: what `import labkit` gives and costs, and what the wheel holds."""

import re
import subprocess
import sys
import tomllib
import venv
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

import labkit
from labkit.errors import LabError
from labkit.load import schema
from tools import requirements_txt

REPOSITORY = Path(__file__).parents[1]


def python(code: str, *, executable=sys.executable, flag="-P", **options) -> str:
    command = [executable, flag, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_public_names_are_exactly_the_listed_ones():
    assert sorted(labkit.__all__) == sorted(
        "Chart LabError Table apply bake chat check check_all choice compare connect "
        "create_deployment create_service dashboard delete diagnose each_pod events exec "
        "fits generate get goto helm_uninstall helm_upgrade hey hint load_test logs manifest "
        "metrics mirrored model models plant processes ps pull reset restart rollout run scale "
        "show slow_model solution solved start status step_buttons stop timeline timetable top "
        "troubles try_way wait ways".split()
    )
    assert labkit.LabError is LabError
    public = {name for name in dir(labkit) if not name.startswith("_")}
    # Modules become attributes once imported; the rest is what __init__ itself needs.
    modules = {name for name in public if isinstance(getattr(labkit, name), type(sys))}
    assert public - modules == set(labkit.__all__)


@pytest.mark.parametrize("name", labkit._HOMES)
def test_every_name_is_a_documented_thing_of_its_module(name):
    thing = getattr(labkit, name)
    assert thing.__name__ == name
    assert thing.__module__ == f"labkit.{labkit._HOMES[name]}"
    if name != "LabError":
        assert len(thing.__doc__.splitlines()) > 2


def test_the_docstring_has_every_public_name():
    told = set(re.findall(r"\w+", "".join(re.findall(r"^\| (`.*?) \|", labkit.__doc__, re.M))))
    assert told - {"lab"} == set(labkit.__all__)


def test_an_unknown_name_is_said_as_python_says_it():
    with pytest.raises(AttributeError, match="module 'labkit' has no attribute 'nonsense'"):
        labkit.nonsense  # noqa: B018


def test_no_module_has_the_name_of_a_public_name():
    files = {file.stem for file in (REPOSITORY / "labkit").iterdir()}
    assert not files & set(labkit.__all__)


def test_importing_labkit_loads_nothing_but_labkit():
    code = """if True:
        import sys
        before = set(sys.modules)
        import labkit
        print(*sorted(set(sys.modules) - before))
    """
    assert python(code).split() == ["labkit"]


LEARNERS_ONLY = """if True:
    import importlib, pkgutil, re, sys
    from importlib.metadata import packages_distributions

    def plain(name):
        return re.sub("[-_.]+", "-", name).lower()

    learners = {"ollama-labkit", "labkit", *sys.argv[1].split()}
    for module, homes in packages_distributions().items():
        if not learners & {plain(home) for home in homes}:
            sys.modules[module] = None
    import labkit
    for module in pkgutil.walk_packages(labkit.__path__, "labkit."):
        if module.name.rpartition(".")[2] != "__main__":
            try:
                importlib.import_module(module.name)
            except ImportError as error:
                print(module.name, error.name.partition(".")[0])
"""


def test_what_a_learner_installs_is_enough_for_all_but_the_running_of_notebooks():
    locked = requirements_txt.entries((REPOSITORY / "requirements.txt").read_text())
    names = " ".join(entry.partition("==")[0] for entry in locked)
    words = [sys.executable, "-P", "-c", LEARNERS_ONLY, names]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "labkit.jupyter.kernel nbval",
        "labkit.jupyter.plugin nbval",
    ]


def test_importing_labkit_and_its_names_contacts_and_starts_nothing():
    code = """if True:
        import sys
        def refuse(event, arguments):
            if event.split(".")[0] in ("socket", "subprocess") or event == "os.exec":
                raise SystemExit(f"{event} {arguments}")
        sys.addaudithook(refuse)
        import labkit
        [getattr(labkit, name) for name in labkit.__all__]
    """
    python(code)


def test_the_model_is_the_environments_or_the_labs_own(monkeypatch):
    assert labkit.model == "models.lab-system:5001/library/lab-llama"
    monkeypatch.setenv("MODEL", "qwen2:1.5b")
    assert labkit.model == "qwen2:1.5b"


def test_the_version_is_the_projects():
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert labkit.__version__ == project["version"] == schema.VERSION
    assert f"[{project['version']}]" in (REPOSITORY / "CHANGELOG.md").read_text()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    # The build backend is in the environment already: nothing is downloaded.
    words = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, "."]
    subprocess.run([sys.executable, "-m", "pip", *words], cwd=REPOSITORY, check=True)
    return next(folder.glob("ollama_labkit-*.whl"))


def test_the_wheel_holds_labkit_and_what_the_lab_is_made_of_and_nothing_else(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    assert "labkit/setup/host/venv.py" in names
    assert {"labkit/py.typed", "labkit/__init__.pyi"} <= set(names)
    assert "labkit/k8s/cluster/versions.toml" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name.split("/")[0].split("-")[0] for name in names} == {"labkit", "ollama_labkit"}
    assert not [name for name in names if name.endswith((".pyc", ".log")) or "/tests/" in name]


def test_the_wheel_says_who_it_is_for_and_where_its_home_is(wheel):
    with zipfile.ZipFile(wheel) as archive:
        files = {name.rpartition("/")[2]: name for name in archive.namelist() if "-info/" in name}
        told = message_from_bytes(archive.read(files["METADATA"]))
        commands = archive.read(files["entry_points.txt"]).decode()
    # `labkit` on PyPI is another project
    assert told["Name"] == "ollama-labkit"
    assert told["Author"] == "labkit contributors"
    assert told["License-Expression"] == "Apache-2.0"
    assert {"ollama", "kubernetes"} < set(told["Keywords"].split(","))
    assert "Framework :: Jupyter :: JupyterLab" in told.get_all("Classifier")
    urls = dict(url.split(", ") for url in told.get_all("Project-URL"))
    assert {"Homepage", "Documentation", "Changelog", "Issues"} < set(urls)
    assert all(url.startswith("https://") for url in urls.values())
    assert commands.split() == ["[console_scripts]", "labkit", "=", "labkit.commands.main:main"]


def test_its_classifiers_are_ones_that_pypi_knows():
    from trove_classifiers import classifiers

    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert set(project["classifiers"]) - set(classifiers) == set()


def test_the_wheel_is_imported_in_a_clean_environment(wheel, tmp_path):
    venv.create(tmp_path / "clean", symlinks=True)
    clean = tmp_path / "clean/bin/python"
    words = ["--python", clean, "install", "--quiet", "--no-deps", "--no-index", wheel]
    subprocess.run([sys.executable, "-m", "pip", *words], check=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    code = "import labkit; print(labkit.__file__); print(labkit.model, labkit.LabError.__name__)"
    file, names = python(code, executable=clean, flag="-I", cwd=elsewhere).splitlines()
    assert Path(file).is_relative_to(tmp_path / "clean")
    assert names.endswith(" LabError")
