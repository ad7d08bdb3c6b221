#!/usr/bin/env bash
# httpx 0.28.1: of a gzip answer with several members only the first is returned, without an error.
#
# Guess: a gzip stream may have several members one after the other (RFC 1952), as `cat a.gz b.gz` makes.
# httpx returns them all, as it does for the frames of zstd, or raises DecodingError.
# Seen (httpx 0.28.1, zstandard 0.25.0, urllib3 2.8.0, Python 3.11): the answer has both members and a right
# Content-Length. httpx returns the first member and drops the rest, in .content and in iter_lines().
# Nothing is raised. With two zstd frames httpx returns both. urllib3 returns both members.
# Matters to: people who fetch compressed logs, metrics or JSON lines that a server appends to, one member a
# flush: every line after the first flush is missing, and the status is 200.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check httpx==0.28.1 zstandard==0.25.0 urllib3==2.8.0

venv/bin/python - <<'PY'
import gzip
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import urllib3
import zstandard

lines = [b'{"line": 1}\n', b'{"line": 2}\n', b'{"line": 3}\n']
bodies = {
    "gzip": b"".join(gzip.compress(line) for line in lines),
    "zstd": b"".join(zstandard.compress(line) for line in lines),
}
assert gzip.decompress(bodies["gzip"]) == b"".join(lines), "Python's own gzip reads all members"


class Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        coding = self.path[1:]
        self.send_response(200)
        self.send_header("Content-Encoding", coding)
        self.send_header("Content-Length", str(len(bodies[coding])))
        self.end_headers()
        self.wfile.write(bodies[coding])

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
threading.Thread(target=server.serve_forever, daemon=True).start()
url = f"http://127.0.0.1:{server.server_port}"

counts = {}
with httpx.Client(trust_env=False) as client, urllib3.PoolManager() as pool:
    for coding in bodies:
        counts["httpx", coding] = len(client.get(f"{url}/{coding}").raise_for_status().content.splitlines())
    with client.stream("GET", f"{url}/gzip") as answer:
        counts["httpx iter_lines", "gzip"] = len(list(answer.iter_lines()))
    counts["urllib3", "gzip"] = len(pool.request("GET", f"{url}/gzip").data.splitlines())
server.shutdown()
for (who, coding), count in counts.items():
    print(f"{who}, {coding}: {count} of 3 lines")
if list(counts.values()) != [1, 3, 1, 3]:
    sys.exit("it has changed")
print("as found: httpx drops the members after the first")
PY
