"""How the benchmark suites for language models are run: inference-perf, AIPerf, GuideLLM.

They speak only OpenAI's API, want a tokenizer, and write their results to files.
"""

import json
import shutil
from pathlib import Path

from labkit.setup.host import paths

# Two words and what Transformers needs to take a folder for a tokenizer: nothing is downloaded.
TOKENIZER = {
    "tokenizer.json": {
        "version": "1.0",
        "added_tokens": [],
        "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0, "token": 1}, "unk_token": "[UNK]"},
    },
    "tokenizer_config.json": {"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]"},
}


def folder(name: str, prompts: int = 0) -> Path:
    """A new folder for one run: the tokenizer, prompts, a place for the results."""
    place = paths.cache("bench", f"run-{name}")
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    for file, content in TOKENIZER.items():
        (place / file).write_text(json.dumps(content))
    (place / "prompts.jsonl").write_text('{"prompt": "token token"}\n' * prompts)
    return place


def inference_perf_words(program: str, url: str, streams: int, requests: int) -> list[str]:
    place = folder("inference-perf")
    config = {
        "api": {"type": "chat", "streaming": True},
        "data": {"type": "mock"},
        "load": {
            "type": "concurrent",
            "num_workers": 1,
            "worker_max_concurrency": streams,
            "stages": [{"num_requests": requests, "concurrency_level": streams}],
        },
        "server": {"type": "vllm", "model_name": "reference", "base_url": url},
        "tokenizer": {"pretrained_model_name_or_path": str(place)},
        "storage": {"local_storage": {"path": str(place / "out")}},
    }
    file = place / "config.json"
    file.write_text(json.dumps(config))
    return [program, "-c", str(file), "--log-level", "ERROR"]


def inference_perf_seen(summary: dict) -> tuple[int, float, float]:
    """Requests, p99 of the first token and of the gaps in ms, from summary_lifecycle_metrics.json.

    >>> latency = {"time_to_first_token": {"p99": 0.051}, "inter_token_latency": {"p99": 0.02}}
    >>> inference_perf_seen({"successes": {"count": 3, "latency": latency}})
    (3, 51.0, 20.0)
    """
    latency = summary["successes"]["latency"]
    first, gap = latency["time_to_first_token"]["p99"], latency["inter_token_latency"]["p99"]
    return summary["successes"]["count"], first * 1000, gap * 1000


def aiperf_words(program: str, url: str, streams: int, requests: int) -> list[str]:
    place = folder("aiperf")
    words = [program, "profile", "-m", "reference", "-u", url, "--endpoint-type", "chat"]
    words += ["--streaming", "--concurrency", str(streams), "--request-count", str(requests)]
    words += ["--tokenizer", str(place), "--use-server-token-count"]
    words += ["--prompt-input-tokens-mean", "4", "--num-dataset-entries", "64"]
    words += ["--ui", "none", "--no-gpu-telemetry", "--no-server-metrics"]
    return [*words, "--output-artifact-dir", str(place / "out")]


def aiperf_seen(lines: list[str]) -> tuple[int, list[float]]:
    """Requests that succeeded and the time to the first token of each, from profile_export.jsonl.

    Its gaps are each request's mean: no quantile of single gaps can be had from it.

    >>> good = '{"metrics": {"time_to_first_token": {"value": 51.0}}}'
    >>> aiperf_seen([good, '{"metrics": {}, "error": {"type": "Timeout"}}'])
    (1, [51.0])
    """
    good = [
        one for one in map(json.loads, lines) if not one.get("error", None) and "metrics" in one
    ]
    firsts = [one["metrics"]["time_to_first_token"]["value"] for one in good]
    return len(good), firsts


def guidellm_words(program: str, url: str, streams: int, requests: int) -> list[str]:
    place = folder("guidellm", requests)  # it takes each prompt once
    backend = f"kind=openai_http,target={url},model=reference,http2=false"
    words = [program, "run", "--backend", backend, "--disable-console"]
    words += ["--profile", f"kind=concurrent,streams={streams}"]
    words += ["--constraint", f"kind=max_requests,count={requests}"]
    words += ["--tokenizer", f"kind=huggingface_auto,model={place}"]
    words += ["--data", f"kind=json_file,path={place / 'prompts.jsonl'}"]
    return [*words, "--output", f"kind=json,path={place / 'report.json'}"]


def guidellm_seen(report: dict) -> tuple[int, float]:
    """Requests and the p99 of the first token in ms, from its report.

    Its inter-token latency is each request's mean: no quantile of single gaps can be had from it.

    >>> first = {"successful": {"percentiles": {"p99": 61.5}}}
    >>> metrics = {"request_totals": {"successful": 3}, "time_to_first_token_ms": first}
    >>> guidellm_seen({"benchmarks": [{"metrics": metrics}]})
    (3, 61.5)
    """
    metrics = report["benchmarks"][0]["metrics"]
    first = metrics["time_to_first_token_ms"]["successful"]["percentiles"]["p99"]
    return metrics["request_totals"]["successful"], first
