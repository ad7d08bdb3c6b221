"""labkit/learner/places.py: the folders of the lessons and of the learner."""

from labkit.learner import places
from labkit.setup.host import paths


def test_the_folder_is_the_clones_or_the_one_that_is_named(monkeypatch, tmp_path):
    monkeypatch.delenv(places.WORK)
    assert places.work() == paths.PACKAGE.parent / "work"
    monkeypatch.setenv(places.WORK, str(tmp_path / "elsewhere"))
    assert places.work() == tmp_path / "elsewhere"


def test_without_a_clone_it_is_work_in_this_folder_or_this_folder_itself(monkeypatch, tmp_path):
    wheel = tmp_path / "site-packages" / "labkit"
    (wheel / "notebooks").mkdir(parents=True)
    monkeypatch.setattr(paths, "PACKAGE", wheel)
    monkeypatch.delenv(places.WORK)
    monkeypatch.chdir(tmp_path)
    assert places.work() == tmp_path / "work"
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / places.LESSONS).write_text("{}")
    assert places.work() == tmp_path / "work"
    monkeypatch.chdir(tmp_path / "work")
    assert places.work() == tmp_path / "work"


def test_the_lessons_are_the_clones_notebooks():
    found = [file.name for file in sorted(places.lessons().glob("*.ipynb"))]
    assert found[:2] == ["00-start.ipynb", "01-ollama.ipynb"]
