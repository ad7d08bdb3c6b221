#!/usr/bin/env bash
# HAProxy 2.6.12: from a soft stop on, nbsrv() of a backend is 0, while its server is up and still answers.
#
# Guess: nbsrv(), "the number of usable servers", tells why a request got a 503: none usable, or one that is
# only busy. A soft stop (SIGUSR1) closes the listeners and changes nothing for requests that are inside.
# Seen (HAProxy 2.6.12, Debian 12): a request that waits in the queue when the soft stop comes stays there
# until its `timeout queue`. In its 503 nbsrv() is 0, as if the server were down. srv_is_up() still says 1,
# and the answer that the server is working on arrives whole.
# Matters to: whoever words a 503 (http-error with lf-string), a log or a monitor by nbsrv() and stops HAProxy
# softly, as every rollout of a proxy in a Pod does: a queue that was full looks like a server that failed.
set -euo pipefail
folder=$(mktemp -d)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$folder"' EXIT
cd "$folder"
{
  apt-get update -qq || true
  apt-get download -q "haproxy=2.6.12-1*" liblua5.3-0 libopentracing-c-wrapper0 libopentracing1
} >apt.log 2>&1 || { cat apt.log; exit 1; }
for package in *.deb; do dpkg --extract "$package" root; done
libraries="$folder/root/usr/lib/x86_64-linux-gnu"
haproxy="$folder/root/usr/sbin/haproxy"
LD_LIBRARY_PATH=$libraries "$haproxy" -v | head -1

read -r front back < <(python3 -c '
import socket
taken = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
print(*(one.getsockname()[1] for one in taken))')

cat >haproxy.cfg <<CFG
global
  nbthread 1
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
  timeout queue 6s
frontend all
  bind 127.0.0.1:$front
  default_backend work
backend work
  http-error status 503 content-type text/plain lf-string "nbsrv=%[nbsrv(work)] srv_is_up=%[srv_is_up(one)]\n"
  server one 127.0.0.1:$back maxconn 1 check inter 500ms
CFG

cat >server.py <<'PY'
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Slow(BaseHTTPRequestHandler):
    def do_GET(self):
        time.sleep(12)
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        self.wfile.write(b"whole\n")

    def log_message(self, *_):
        pass


ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Slow).serve_forever()
PY
python3 server.py "$back" &
LD_LIBRARY_PATH=$libraries "$haproxy" -db -f haproxy.cfg >haproxy.log 2>&1 &
proxy=$!
sleep 2

ask() { curl --silent --noproxy '*' --max-time 40 "http://127.0.0.1:$front/"; }

# without a stop: a queue that is full for too long
ask >first & first=$!
sleep 1
running=$(ask)
wait "$first"
echo "time-out in the queue, HAProxy running:       $running"

# with one: the same, and a soft stop while the second waits
ask >first & first=$!
sleep 1
ask >second & second=$!
sleep 1
kill -USR1 "$proxy"
wait "$second"
stopping=$(cat second)
wait "$first"
echo "time-out in the queue, HAProxy stopping:      $stopping"
echo "the answer that was under way meanwhile:      $(cat first)"

[ "$running" = "nbsrv=1 srv_is_up=1" ] && [ "$stopping" = "nbsrv=0 srv_is_up=1" ] && [ "$(cat first)" = whole ] || {
  echo "this has changed"
  exit 1
}
echo "as described"
