"""The steps of notebook 01-ollama."""

from labkit.lessons import pod_probes
from labkit.lessons.desired_state import State
from labkit.lessons.step import Ladder, Step

STEPS = (
    Step(
        "01-ollama/run",
        "Run",
        pod_probes.local_has_model,
        State(local="loaded"),
        holds=False,
        ladder=Ladder(
            "Which models does the Ollama on your own machine have?",
            "`ollama run` pulls what is missing; only the lab's mirror is sure to have it.",
            "ollama list",
            'ollama run --insecure --nowordwrap $MODEL "What is Ollama?"',
        ),
        mistake="ollama rm $MODEL",
    ),
    Step(
        "01-ollama/unload",
        "Unloading",
        pod_probes.local_is_unloaded,
        State(local="unloaded"),
        holds=False,
        ladder=Ladder(
            "How long does a model stay in memory without requests?",
            "The last column shows when it is unloaded.",
            "ollama ps",
            "lab.stop()",
        ),
        mistake="ollama run $MODEL hello",
    ),
    Step(
        "01-ollama/your-turn",
        "Your turn: loaded for an hour",
        pod_probes.local_stays_loaded,
        State(local="kept"),
        ladder=Ladder(
            "Which argument of `lab.generate` sets how long a model stays loaded?",
            "The section on unloading used it, for ten seconds.",
            "ollama ps",
            'lab.generate("What is a cold start?", keep_alive="1h")',
        ),
        mistake="ollama stop $MODEL",
    ),
)
