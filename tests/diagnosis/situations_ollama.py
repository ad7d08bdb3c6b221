"""Situations of folders of models and of the engine, in words of Ollama 0.34.2; healthy ones.

Each word was seen: two servers on one folder and a slow registry, SIGKILL in a pull, read-only
mounts, OLLAMA_KV_CACHE_TYPE of both kinds.
"""

from tests.diagnosis.shapes import (
    MODEL,
    ago,
    container,
    ended,
    event,
    facts,
    loops,
    pod,
    running,
    service,
)
from tests.diagnosis.situations_reach import GIN, OLLAMA, READY, answered, asks

BLOB = "/models/blobs/sha256-8b54debaa89f78212f6afb00c7ebb2780f3604c4caa8c97c395576a50d5d6a6a"
GONE = f"Error: rename {BLOB}-partial {BLOB}: no such file or directory"
REMOVED = f"Error: remove {BLOB}-partial-0: no such file or directory"
READ_ONLY = f"Error: open {BLOB}-partial-0: read-only file system"
EMPTY = "Error: mkdir /models/blobs: read-only file system: ensure path elements are traversable"
TIDIES = "Error: remove /models/manifests/empty: read-only file system"
DOWNLOADS = (
    "time={} level=INFO source=download.go:181"
    ' msg="downloading 8b54debaa89f in 12 100 MB part(s)"\n'
)
LOAD_FAILED = 'time=x level=INFO source=sched.go:646 msg="Load failed" error="{}"\n'
EXIT = "llama-server process has terminated: exit status 1"
NO_TYPE = 'error while handling argument "--cache-type-k": Unsupported cache type: q8\n'
NO_FLASH = "llama_init_from_model: quantized V cache requires flash_attn to be enabled\n"
REPEATS = '{"error":"prediction aborted, token repeat limit reached"}'
NO_EMBED = '{"error":"This server does not support embeddings. Start it with `--embeddings`"}'
NOT_OTHER = (
    'Refused: pod/ollama was rejected\nsaw: Pod "ollama" is invalid: spec: Forbidden: pod updates'
    " may not change fields other than `spec.containers[*].image`,`spec.activeDeadlineSeconds`"
)
STORE = {"volumes": [{"name": "models", "persistentVolumeClaim": {"claimName": "models"}}]}
HOOK = {"postStart": {"exec": {"command": ["ollama", "pull", "--insecure", MODEL]}}}
PULLS = {"command": ["sh", "-c", "ollama serve & … ollama pull --insecure $MODEL"]}


def pulled(lasted: str) -> str:
    return GIN.format(8, 200, lasted, "127.0.0.1", "POST", '"/api/pull"')


def initial(log: str, *, code: int = 1, **more):
    """An init container with a server of its own, which pulls, and ended so."""
    one = pod(
        container(),
        inits=[container("pull", **PULLS)],
        init_statuses=[loops(code, name="pull")],
        statuses=[],
        **STORE,
        **more,
    )
    return facts(one, logs={(OLLAMA, "pull"): log})


def began_again(log: str, *, restarts: int = 2, s: float = 300, code: int = 137):
    last = {"exitCode": code, "startedAt": ago(s + 400), "finishedAt": ago(s + 1)}
    one = pod(statuses=[running(s=s, restarts=restarts, **last)], **STORE)
    return facts(one, log=READY + log, services=[service()])


def stays(**env: str):
    one = pod(container(env=env), s=30_000)
    return facts(one, services=[service()], forever={OLLAMA: [f"{MODEL}:latest"]})


def cached(log: str = "", **env: str):
    return facts(pod(container(env=env)), services=[service()], log=READY + log)


SITUATIONS = {
    # one folder for several Ollamas
    "two init containers pull into one folder": (
        "store-two-pulls",
        initial(DOWNLOADS.format(ago(60)) + pulled("4.001112743s") + GONE),
    ),
    "the same, told": (
        "store-two-pulls",
        facts(pod(**STORE), error=f"OllamaSaid: pod/ollama returned an error\nsaw: {GONE}"),
    ),
    "the same, in a hook": (
        "store-two-pulls",
        facts(
            pod(container(lifecycle=HOOK), statuses=[loops(0, "Completed")], **STORE),
            events=[event("FailedPostStartHook", f"PostStartHook failed: {GONE}")],
            log=READY + pulled("2m4s"),
        ),
    ),
    "a server starts beside a long pull": (
        "store-tidied-in-a-pull",
        initial(DOWNLOADS.format(ago(4000)) + pulled("1h4m2.5s") + REMOVED),
    ),
    "a pull into a read-only folder": (
        "store-read-only",
        facts(pod(**STORE), error=f"OllamaSaid: pod/ollama returned an error\nsaw: {READ_ONLY}"),
    ),
    "the same, of a Job's Pod": ("store-read-only", asks(READ_ONLY, spec=PULLS)),
    "a read-only folder without a model": (
        "store-empty-and-read-only",
        facts(pod(statuses=[loops()], **STORE), log=EMPTY),
    ),
    "the same, below the home folder": (
        "store-empty-and-read-only",
        facts(pod(statuses=[loops()]), log=EMPTY.replace("/models/", "/root/.ollama/models/")),
    ),
    "a read-only folder that the server would tidy": (
        "store-empty-and-read-only",
        facts(pod(statuses=[loops()], **STORE), log=TIDIES),
    ),
    "a pull that SIGKILL ends again and again": (
        "pull-begins-again",
        began_again(DOWNLOADS.format(ago(290))),
    ),
    # the engine
    "a misspelt type of the KV cache": (
        "kv-cache-type-unknown",
        cached(NO_TYPE + LOAD_FAILED.format(EXIT) + answered(500), OLLAMA_KV_CACHE_TYPE="q8"),
    ),
    "the same, from a ConfigMap: only the log has it": (
        "kv-cache-type-unknown",
        cached(NO_TYPE + LOAD_FAILED.format(EXIT) + answered(500)),
    ),
    "the same, of a client that got no reason": (
        "kv-cache-type-unknown",
        asks(EXIT, server=pod(container(env={"OLLAMA_KV_CACHE_TYPE": "q8"}))),
    ),
    "a quantized cache without flash attention": (
        "kv-cache-needs-flash-attention",
        cached(NO_FLASH + LOAD_FAILED.format(f"{EXIT}: {NO_FLASH.strip()}") + answered(500)),
    ),
    "the same, of a client": ("kv-cache-needs-flash-attention", asks(f"{EXIT}: {NO_FLASH}")),
    "the same token again and again": ("token-repeat-limit", asks(REPEATS)),
    "embeddings of a chat model": ("embeddings-of-a-chat-model", asks(NO_EMBED)),
    "a model that stays for ever": ("model-stays-loaded", stays()),
    "the same, told by lab.ps": (
        "model-stays-loaded",
        facts(
            pod(),
            error="TimedOut: lab-llama:latest still loaded after 60 s\nsaw: until: Forever\ntry: x",
        ),
    ),
    # the API server
    "resources of a Pod, without the subresource": (
        "pod-field-cannot-change",
        facts(pod(), error=NOT_OTHER + " … Resources: core.ResourceRequirements{"),
    ),
}

HEALTHY = {
    "two init containers pulled into one folder, and the second try succeeded": facts(
        pod(
            inits=[container("pull", **PULLS)],
            init_statuses=[ended(0, name="pull", restarts=1)],
            **STORE,
        ),
        logs={(OLLAMA, "pull"): DOWNLOADS.format(ago(60)) + pulled("0.1s") + "success\n"},
    ),
    "a read-only folder with the model": facts(pod(**STORE), log=READY + answered(200)),
    "a pull after a restart, when it is done": began_again(
        DOWNLOADS.format(ago(290)) + pulled("1m2s")
    ),
    "a pull long after a restart": began_again(DOWNLOADS.format(ago(30))),
    "a pull after a restart by SIGTERM": began_again(DOWNLOADS.format(ago(290)), code=0),
    "a quantized KV cache": cached(OLLAMA_KV_CACHE_TYPE="q8_0"),
    "a type that an older Ollama ignores": cached(answered(200), OLLAMA_KV_CACHE_TYPE="q8"),
    "an engine that ends for another reason": cached(
        LOAD_FAILED.format(f"{EXIT}: no backend") + answered(500), OLLAMA_KV_CACHE_TYPE="q8_0"
    ),
    "a cache that was misspelt, before a prompt was answered": cached(
        NO_TYPE + answered(500) + answered(200)
    ),
    "a client whose prompt ran in a circle, and then did not": asks(REPEATS, code=0),
    "a model that stays, as the Deployment says": stays(OLLAMA_KEEP_ALIVE="-1"),
}
assert len(HEALTHY) >= 10
