"""A client in the style of vLLM's serving benchmark: aiohttp, one asyncio task for each request.

What that style is: all tasks are made at the start and wait at a semaphore, each reads its stream
line by line, decodes every line with json, and keeps every time in a list. Run by clients.py, in an
environment that has aiohttp; prints one JSON object.

    python vllm_style.py http://127.0.0.1:8080 --streams 64 --requests 192
"""

import argparse
import asyncio
import json
import time
from dataclasses import dataclass, field

import aiohttp

BODY = {"model": "reference", "prompt": "Why is the sky blue?"}


@dataclass
class Answer:
    ttft_s: float = 0.0
    gaps_s: list[float] = field(default_factory=list)
    text: str = ""
    whole: bool = False


async def ask(session: aiohttp.ClientSession, url: str, body: dict, places) -> Answer:
    answer = Answer()
    async with places:
        began = latest = time.perf_counter()
        async with session.post(f"{url}/api/generate", json=body) as response:
            response.raise_for_status()
            async for line in response.content:
                if not line.strip():
                    continue
                at = time.perf_counter()
                event = json.loads(line)
                if not answer.text:
                    answer.ttft_s = at - began
                else:
                    answer.gaps_s.append(at - latest)
                latest = at
                answer.text += event["response"]
                answer.whole = event["done"]
    return answer


async def ask_all(url: str, streams: int, requests: int, body: dict) -> list[Answer]:
    places = asyncio.Semaphore(streams)
    connector = aiohttp.TCPConnector(limit=streams)
    timeout = aiohttp.ClientTimeout(total=6 * 3600)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        tasks = [asyncio.create_task(ask(session, url, body, places)) for _ in range(requests)]
        return await asyncio.gather(*tasks)


def p99_ms(values_s: list[float]) -> float | None:
    return sorted(values_s)[int((len(values_s) - 1) * 0.99)] * 1000 if values_s else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("url")
    parser.add_argument("--streams", type=int, default=64)
    parser.add_argument("--requests", type=int, default=192)
    parser.add_argument("--tiny", action="store_true", help="one object in place of a stream")
    options = parser.parse_args()
    body = {**BODY, "stream": not options.tiny}
    answers = asyncio.run(ask_all(options.url, options.streams, options.requests, body))
    seen = {
        "requests": sum(answer.whole for answer in answers),
        "ttft_p99_ms": p99_ms([answer.ttft_s for answer in answers]),
        "gap_p99_ms": p99_ms([gap for answer in answers for gap in answer.gaps_s]),
    }
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
