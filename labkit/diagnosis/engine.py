"""What Ollama's engine reports: caches, loops, embeddings; models that stay in memory."""

from __future__ import annotations

import re
from collections.abc import Iterator

from labkit.diagnosis import symptoms
from labkit.diagnosis.facts import Facts, container_of, env, runs
from labkit.diagnosis.mistake import LOGGED, SHOWN, Mistake
from labkit.diagnosis.symptoms import named

CACHE_TYPES = ("f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1")
_CACHE_TYPE = re.compile(r"Unsupported cache type: (\S+)")
_FLASH = re.compile(r"quantized V cache requires flash_attn to be enabled")
_REPEATS = re.compile(r"prediction aborted, token repeat limit reached")
_NO_EMBEDDINGS = re.compile(r"This server does not support embeddings")
# the whole of its answer: another reason would follow
_EXIT = re.compile(r"llama-server process has terminated: exit status 1(?!: )")
_ANSWERED = re.compile(r'\| 200 \|[^\n]*POST\s+"/(?:api/(?:generate|chat)|v1/\S*completions)"')


def _lines(facts: Facts) -> Iterator[tuple[dict, str]]:
    """Each Ollama that runs, and what it wrote since it last answered a prompt."""
    for pod in filter(runs, facts.pods):
        log = facts.log_of(pod, (container_of(pod) or {})["name"])
        answered = [0, *(found.end() for found in _ANSWERED.finditer(log))]
        yield pod, log[answered[-1] :]


def _said(facts: Facts, pattern: re.Pattern) -> str:
    """Where the error, a client or an Ollama's log has these words."""
    for said, _ in symptoms.clients(facts):
        if found := pattern.search(said):
            return f"a client was told: {found[0]}"
    for pod, log in _lines(facts):
        if found := pattern.search(log):
            return f"{named(pod)} said: {found[0]}"
    return ""


def cache_type(facts: Facts) -> str:
    """A type that the engine does not know: it ends, and its answer has no reason."""
    given = _variable(facts, "OLLAMA_KV_CACHE_TYPE")
    found = _said(facts, _CACHE_TYPE)
    if not found and given and given.lower() not in CACHE_TYPES:
        found = _said(facts, _EXIT)
    return f"{found}; OLLAMA_KV_CACHE_TYPE={given}" if found and given else found


def flash_attention(facts: Facts) -> str:
    return _said(facts, _FLASH)


def _variable(facts: Facts, name: str) -> str:
    """Its value in the first Ollama that has it."""
    given = (env(container_of(pod) or {}).get(name, "") for pod in filter(runs, facts.pods))
    return next(filter(None, given), "")


def repeats(facts: Facts) -> str:
    return _said(facts, _REPEATS)


def no_embeddings(facts: Facts) -> str:
    return _said(facts, _NO_EMBEDDINGS)


def stays(facts: Facts) -> str:
    """A model that is never unloaded, though the server's own setting does not say so."""
    for pod in filter(runs, facts.pods):
        models = facts.forever.get(pod["metadata"]["name"], [])
        setting = env(container_of(pod) or {}).get("OLLAMA_KEEP_ALIVE", "")
        if models and not setting.startswith("-"):
            return f"{named(pod)} keeps {', '.join(models)} in memory for ever"
    found = re.search(r"(\S+) still loaded after [^\n]+\n?[^\n]*until: Forever", facts.error)
    return f"{found[1]} is still loaded, until: Forever" if found else ""


ROWS = (
    Mistake(
        "kv-cache-type-unknown",
        "HTTP 500: llama-server process has terminated: exit status 1, without a reason",
        "OLLAMA_KV_CACHE_TYPE is not a type that the engine knows; only the log has the reason",
        f"one of {', '.join(CACHE_TYPES)}; usual are f16 (the default) and q8_0",
        "kubectl logs deployment/ollama",
        "the error, logs of clients and of Ollama, OLLAMA_KV_CACHE_TYPE",
        cache_type,
        sure=SHOWN,
        unless="the log has no `Unsupported cache type`, and a prompt is answered",
    ),
    Mistake(
        "kv-cache-needs-flash-attention",
        "HTTP 500: quantized V cache requires flash_attn to be enabled",
        "OLLAMA_KV_CACHE_TYPE names a quantized type, and OLLAMA_FLASH_ATTENTION is off",
        "remove OLLAMA_FLASH_ATTENTION (on where it is needed, by default), or use f16",
        "kubectl get deployment/ollama --output=jsonpath={..env}",
        "the error, logs of clients and of Ollama",
        flash_attention,
        sure=SHOWN,
        unless="a prompt is answered",
    ),
    Mistake(
        "token-repeat-limit",
        "HTTP 500: prediction aborted, token repeat limit reached",
        "the model wrote the same token 100 times, and Ollama stopped it (0.24: silently, after"
        " 30); often a small model, or format json of a model that cannot write JSON",
        "another prompt, repeat_penalty 1.1 or more, a larger model, or no format",
        "kubectl logs deployment/ollama",
        "the error, logs of clients and of Ollama",
        repeats,
        sure=LOGGED,
        unless="the same prompt was answered since",
    ),
    Mistake(
        "embeddings-of-a-chat-model",
        "HTTP 501: This server does not support embeddings. Start it with `--embeddings`",
        "the model completes text, and embeddings need a model that is made for them; no option of"
        " Ollama starts the engine with --embeddings",
        "pull an embedding model (such as nomic-embed-text) and name it in the request",
        "kubectl exec deployment/ollama -- ollama list",
        "the error, logs of clients and of Ollama",
        no_embeddings,
        sure=LOGGED,
        unless="ollama show lists `embedding` among the model's capabilities",
    ),
    Mistake(
        "model-stays-loaded",
        "ollama ps: UNTIL Forever; the memory of a model that no client uses is not freed",
        "a client sent keep_alive -1, which stays with the model: each later request without a"
        " keep_alive renews it, of any client",
        "ollama stop NAME; or one request with the keep_alive that you want, such as 5m",
        "kubectl exec deployment/ollama -- ollama ps",
        "/api/ps of each Ollama, OLLAMA_KEEP_ALIVE, the error",
        stays,
        sure=SHOWN,
        unless="it is meant to stay: then OLLAMA_KEEP_ALIVE=-1 in the Deployment says so",
        aside=True,
    ),
)
