"""A program that answers as it is told: the stand-in for kubectl, helm, ollama and haproxy.

Beside it lie `replies.json`, what each of its runs prints, and `count`, how many there were. Where
a reply has `serves`, this run listens where it was told, and answers each request with one of them.
"""

import http.server
import json
import os
import re
import signal
import sys
import threading
import time
from pathlib import Path

HERE = Path(__file__).parent


def main() -> None:
    count = HERE / "count"
    number = int(count.read_text()) if count.exists() else 0
    count.write_text(str(number + 1))
    replies = json.loads((HERE / "replies.json").read_text())
    reply = replies[number] if number < len(replies) else {"exit": 0}
    if "serves" in reply:
        serve(reply)
    print(reply.get("stdout", ""))
    print(reply.get("stderr", ""), file=sys.stderr)
    sys.exit(reply.get("exit", 0))


def serve(reply: dict) -> None:
    answers = handler_of(reply["serves"])

    def stop(*_: object) -> None:
        print(reply.get("stdout", ""), flush=True)
        os._exit(reply.get("exit", 0))

    for name in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(name, stop)
    for port in ports():
        web = http.server.ThreadingHTTPServer(("127.0.0.1", port), answers)
        threading.Thread(target=web.serve_forever, daemon=True).start()
    while True:
        signal.pause()


def handler_of(replies: list[dict]) -> type[http.server.BaseHTTPRequestHandler]:
    """A server's handler that gives these replies, one after the other."""
    left = list(replies)

    class Answers(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"] or 0))
            send(self, left.pop(0) if left else {"status": 200, "json": {}})

        do_HEAD = do_POST = do_DELETE = do_GET

        def log_message(self, *_: object) -> None:
            return

    return Answers


def ports() -> list[int]:
    if Path("haproxy.cfg").exists():
        return [
            int(port)
            for port in re.findall(r"bind 127.0.0.1:(\d+)", Path("haproxy.cfg").read_text())
        ]
    return [int(os.environ["OLLAMA_HOST"].rpartition(":")[2])]


def send(handler: http.server.BaseHTTPRequestHandler, reply: dict) -> None:
    """One HTTP answer, its first piece and its end when they came."""
    handler.send_response(reply["status"])
    if reply.get("type"):
        handler.send_header("Content-Type", reply["type"])
    for name, value in reply.get("headers", {}).items():
        handler.send_header(name, value)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    if handler.command == "HEAD":
        return
    text = body(reply)
    time.sleep(reply.get("first_s", 0) if reply.get("slow") else 0)
    for piece in (text[:1], text[1:]):
        if piece:
            handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            handler.wfile.flush()
        if reply.get("slow"):
            time.sleep(max(reply["whole_s"] - reply["first_s"], 0) / 2)
    if reply.get("cut"):
        handler.close_connection = True
        return
    handler.wfile.write(b"0\r\n\r\n")


def body(reply: dict) -> bytes:
    """The bytes of a recorded answer: an object, a stream in one of two dialects, or a text."""
    if "json" in reply:
        return json.dumps(reply["json"]).encode()
    if "lines" not in reply:
        return reply.get("text", "").encode()
    is_sse = reply.get("type", "").startswith("text/event-stream")
    before, after = ("data: ", "\n\n") if is_sse else ("", "\n")
    lines = [f"{before}{json.dumps(line)}{after}" for line in reply["lines"]]
    return "".join([*lines, "data: [DONE]\n\n" if reply.get("done") else ""]).encode()


if __name__ == "__main__":
    main()
