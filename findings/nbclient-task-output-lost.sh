#!/usr/bin/env bash
# nbclient 0.11.0 with ipykernel 7.4.0: what an asyncio task prints after its cell is lost, also while a
# later cell awaits the task. What a thread prints is kept.
#
# Guess: JupyterLab shows what a background task prints, so a notebook that nbclient has executed holds it
# too: under the cell that created the task, or under the cell that runs when it prints. A thread and a task
# behave alike.
# Seen (nbclient 0.11.0, ipykernel 7.4.0, Python 3.11): ipykernel finds a print's cell by a context variable.
# A task keeps the context in which it was created, so its messages name the first cell. A new thread has
# none, so its messages name the cell that runs. nbclient drops each message that does not name the cell
# that runs. The saved notebook has the thread's lines under the second cell, and the task's nowhere. No
# warning, and no error. The kernel did send them: a client that listens gets them.
# Matters to: people who start work in one cell and await it in another (a load, a watch, a progress), and
# save or test the notebook with nbclient, nbconvert or papermill: the page in JupyterLab and the executed
# file differ.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check \
    nbclient==0.11.0 ipykernel==7.4.0 nbformat==5.11.1

venv/bin/python - 2>kernel.log <<'PY'
import sys

from jupyter_client.manager import start_new_kernel
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

start = """
import asyncio
import threading
import time


async def in_task():
    await asyncio.sleep(1)
    print("from the task")


def in_thread():
    time.sleep(1)
    print("from the thread")


task = asyncio.create_task(in_task())
thread = threading.Thread(target=in_thread)
thread.start()
"""
cells = [start, "await task\nawait asyncio.to_thread(thread.join)\nprint('from the cell')"]

notebook = new_notebook(cells=[new_code_cell(source) for source in cells])
NotebookClient(notebook, timeout=60).execute()
saved = [sorted("".join(out.text for out in cell.outputs).splitlines()) for cell in notebook.cells]
for number, lines in enumerate(saved, 1):
    print(f"executed notebook, under cell {number}: {lines}")

manager, client = start_new_kernel()
try:
    requests = [client.execute(source) for source in cells]
    sent = [[], []]
    while True:
        message = client.get_iopub_msg(timeout=60)
        parent = message["parent_header"].get("msg_id")
        if message["msg_type"] == "stream" and parent in requests:
            sent[requests.index(parent)] += message["content"]["text"].splitlines()
        if parent == requests[-1] and message["content"].get("execution_state") == "idle":
            break
finally:
    client.stop_channels()
    manager.shutdown_kernel(now=True)
sent = [sorted(lines) for lines in sent]
for number, lines in enumerate(sent, 1):
    print(f"sent by the kernel, for cell {number}:  {lines}")

later = ["from the cell", "from the thread"]
if saved != [[], later] or sent != [["from the task"], later]:
    sys.exit("it has changed")
print("as found: the task's line was sent, and is not in the executed notebook")
PY
