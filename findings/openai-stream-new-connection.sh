#!/usr/bin/env bash
# openai 3.57.0: each streamed answer of the client OpenAI costs a new connection. AsyncOpenAI keeps one.
#
# Guess: a client keeps its connection between two requests, with stream=True too, when the answer is read to
# its end. OpenAI and AsyncOpenAI behave alike.
# Seen (openai 3.57.0, httpx2 2.16.2, Python 3.11): OpenAI stops reading at "data: [DONE]" and closes the
# response. The chunk of length 0, which ends the HTTP answer, is not read, though it has arrived. So the
# pool has to close the connection, and the next request opens another one. AsyncOpenAI reads on for up to
# 0.1 s after [DONE], and its connection is kept. Five streams: five connections and one. Without stream=True,
# and for a stream that ends without [DONE], OpenAI keeps its connection as well.
# Matters to: people who measure the time to the first token, or who load a server, through a Service or TLS:
# each stream pays for a handshake, and each goes to a Pod that is chosen again. The same test with
# AsyncOpenAI is faster, and all its requests go to one Pod.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m pip install --quiet --disable-pip-version-check --target packages openai==3.57.0 httpx2==2.16.2

export NO_PROXY=127.0.0.1 no_proxy=127.0.0.1
PYTHONPATH=packages python3 - <<'PY'
import asyncio
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import openai

ASKED = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
TURNS = 5
connections = set()


def event(delta, finish):
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    chunk = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return f"data: {json.dumps(chunk)}\n\n"


class Model(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    done = "data: [DONE]\n\n"

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        connections.add(self.client_address)
        self.send_response(200)
        if asked.get("stream"):
            text = event({"role": "assistant", "content": "hi"}, None) + event({}, "stop") + self.done
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            body = f"{len(text):x}\r\n{text}\r\n0\r\n\r\n"
        else:
            message = {"role": "assistant", "content": "hi"}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            body = json.dumps(
                {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}
            )
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())  # in one piece: the end of the answer is there with its start

    def log_message(self, *_):
        pass


def text(chunks):
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks)


def counted(name, ask):
    connections.clear()
    ask()
    print(f"{name:42} {TURNS} answers, {len(connections)} connections")
    return len(connections)


server = ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
place = {"base_url": f"http://127.0.0.1:{server.server_port}/v1", "api_key": "none"}


def whole():
    with openai.OpenAI(**place) as client:
        for _ in range(TURNS):
            assert client.chat.completions.create(**ASKED).choices[0].message.content == "hi"


def streamed():
    with openai.OpenAI(**place) as client:
        for _ in range(TURNS):
            assert text(client.chat.completions.create(**ASKED, stream=True)) == "hi"


async def streamed_async():
    async with openai.AsyncOpenAI(**place) as client:
        for _ in range(TURNS):
            stream = await client.chat.completions.create(**ASKED, stream=True)
            assert text([chunk async for chunk in stream]) == "hi"


seen = [
    counted("OpenAI", whole),
    counted("OpenAI, stream=True", streamed),
    counted("AsyncOpenAI, stream=True", lambda: asyncio.run(streamed_async())),
]
Model.done = ""
seen.append(counted("OpenAI, stream=True, no [DONE] in it", streamed))
# a machine under load may not read the end within 0.1 s each time, so the third number is not always 1
if (seen[0], seen[1], seen[3]) != (1, TURNS, 1) or seen[2] == TURNS:
    sys.exit(f"it has changed: {seen}")
print("as found: only the synchronous client opens a connection for each stream")
PY
