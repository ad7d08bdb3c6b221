"""Names of models, and what Ollama writes for a terminal."""

import pytest

from labkit.errors import ModelUnavailable
from labkit.setup.cluster import model


@pytest.mark.parametrize(
    ("name", "full"),
    [
        ("lab-llama", "models.lab-system:5001/library/lab-llama"),
        ("qwen2:1.5b", "models.lab-system:5001/library/qwen2:1.5b"),
        ("someone/theirs:q8", "models.lab-system:5001/someone/theirs:q8"),
    ],
)
def test_a_full_name_has_three_parts_because_ollama_wants_them(name, full):
    assert model.full_name(name) == full


@pytest.mark.parametrize("name", ["", "a b", "a/b/c", "http://x/y", "x:", "$(reboot)", "x;y"])
def test_what_is_no_model_name_is_said_before_any_work(name):
    with pytest.raises(ModelUnavailable, match="is not a valid model name"):
        model.full_name(name)


def test_the_default_is_what_the_library_tells_learners():
    import labkit

    assert labkit.model == model.full_name(model.DEFAULT)


def test_terminal_escapes_are_taken_out_of_an_answer():
    assert model.plain("\x1b[?25l\x1b[1G⠋ \x1b[KA Pod\x1b[?25h is\r small") == "⠋ A Pod is small"
