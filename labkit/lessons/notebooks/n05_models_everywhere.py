"""The steps of notebook 05-models-everywhere."""

from labkit.lessons import model_probes
from labkit.lessons.desired_state import State
from labkit.lessons.step import Ladder, Step

_EVERY_POD = ("deployment/ollama",)


def _way(
    name: str, title: str, folder: str, *, ladder: Ladder, mistake: str, replicas: int = 1
) -> Step:
    """A way to bring the model to every Pod, of notebook 05."""
    holds = name == "your-turn"  # each takes the place of the one before
    by = "" if holds else name
    check = model_probes.pods_bring_model(replicas, by, on_any_node=holds)
    id_ = f"05-models-everywhere/{name}"
    state = State(("05-model", folder), replicas, brings=True)
    return Step(id_, title, check, state, holds, ladder, mistake)


STEPS = (
    Step(
        "05-models-everywhere/model",
        "The model, said once",
        model_probes.config_names_model,
        State(("05-model",)),
        ladder=Ladder(
            "Where do all Pods of this notebook read the name of their model?",
            "A ConfigMap `model` with one line, MODEL.",
            "kubectl get configmap model -o yaml",
            "kubectl create configmap model --from-literal MODEL=$MODEL",
        ),
        mistake="""kubectl patch configmap model -p '{"data": {"MODEL": "x"}}'""",
    ),
    _way(
        "baked",
        "In the image",
        "05-baked",
        ladder=Ladder(
            "When does a Pod get its model, if the image already has it?",
            "The image is lab/ollama-baked; the events say whether a node could fetch it.",
            "kubectl get pods -l app=ollama; kubectl events",
            'lab.bake(); lab.apply("k8s/steps/05-baked")',
        ),
        mistake="kubectl set image deployment/ollama ollama=lab/ollama-backed",
    ),
    Step(
        "05-models-everywhere/by-hand",
        "A pull on every Pod",
        model_probes.every_pod_was_given_model,
        State(("05-model", "05-plain"), pulled=_EVERY_POD),
        holds=False,
        ladder=Ladder(
            "What is in a bare Ollama before you do anything?",
            "The Deployment of notebook 03 does not pull models: each Pod needs its own pull.",
            "kubectl exec deployment/ollama -- ollama list",
            (
                'lab.create_deployment("ollama", image="ollama/ollama"), then '
                'lab.pull(at="pod/…") of each'
            ),
        ),
        mistake="kubectl exec deployment/ollama -- ollama rm $MODEL",
    ),
    Step(
        "05-models-everywhere/hook-race",
        "A hook: the first try",
        model_probes.hook_failed,
        State(("05-model", "05-hook-naive"), ready=False),
        holds=False,
        ladder=Ladder(
            "A hook and the server start at the same time. Who is first?",
            "Each hook that failed has an event.",
            "kubectl events --types Warning",
            'lab.apply("k8s/steps/05-hook-naive")',
        ),
        mistake="kubectl delete deployment ollama --cascade=foreground",
    ),
    _way(
        "hook",
        "A hook that waits",
        "05-hook",
        ladder=Ladder(
            "What must be true before a hook can pull?",
            "lifecycle.postStart of the container. When it fails, there is an event.",
            "kubectl get deployment ollama -o yaml; kubectl events --types Warning",
            'lab.apply("k8s/steps/05-hook")',
        ),
        mistake="kubectl exec deployment/ollama -- ollama rm $MODEL",
    ),
    _way(
        "init",
        "An init container",
        "05-init",
        ladder=Ladder(
            "What in a Pod runs to its end before the server starts?",
            "An init container `pull`; its log shows what it did.",
            "kubectl logs deployment/ollama --container pull",
            'lab.apply("k8s/steps/05-init")',
        ),
        mistake="kubectl set image deployment/ollama ollama=ollama/olama",
    ),
    _way(
        "sidecar",
        "A sidecar",
        "05-sidecar",
        ladder=Ladder(
            "Which init container does not end, and which line makes it one?",
            "restartPolicy of the init container; its log shows the progress of the pull.",
            "kubectl logs deployment/ollama --container pull",
            'lab.apply("k8s/steps/05-sidecar")',
        ),
        mistake="kubectl scale deployment ollama --replicas 2",
    ),
    _way(
        "store",
        "One store for all",
        "05-store",
        replicas=3,
        ladder=Ladder(
            "Who fills the store, and how many may read it?",
            "The Job has to be complete and the claim bound; then three Pods read it.",
            "kubectl get jobs,pvc,pods",
            (
                'lab.apply("k8s/steps/05-store"); lab.wait("job/fill-models"); '
                'lab.scale("deployment/ollama", replicas=3)'
            ),
        ),
        mistake="kubectl scale deployment ollama --replicas 2",
    ),
    _way(
        "your-turn",
        "Choose your adventure",
        "05-sidecar",
        replicas=2,
        ladder=Ladder(
            "Which of the ways gives the model to a new Pod while you are asleep?",
            (
                "Any of them but the one store will do; there should be two Pods, each ready "
                "only with its model."
            ),
            "kubectl get pods -l app=ollama",
            'lab.apply("k8s/steps/05-sidecar"); lab.scale("deployment/ollama", replicas=2)',
        ),
        mistake="kubectl exec deployment/ollama -- ollama rm $MODEL",
    ),
)
