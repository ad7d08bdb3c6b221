"""labkit/kube/pod_logs.py: what is no time, and what is no text."""

import pytest

from labkit.errors import LabError
from labkit.kube import pod_logs

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {}}


@pytest.mark.parametrize("since", ["90", "s", "1d", "-3m", "1.5h"])
def test_a_since_that_is_no_time_is_said(asked, since):
    asked({"/api/v1/namespaces/lab/pods/x": POD})
    with pytest.raises(LabError, match="is not a valid time"):
        pod_logs.logs("pod/x", since=since)


LOG = "success \x1b[K\x1b[?25h\x1b[?2026l\n[K \u0085 \u2028 \x1b[1;32mgreen\x1b[0m\r\nend\x1b[1"
TEXT = "success \n[K \u0085 \u2028 green\r\nend1"


@pytest.mark.parametrize("follow", [False, True])
def test_a_log_loses_its_escape_sequences_and_no_text(connected, discovery, capsys, follow):
    def answer(handler) -> None:
        path = handler.path.partition("?")[0]
        if path.endswith("/log"):
            handler.send(LOG.encode())
        else:
            handler.send(discovery.get(path, POD))

    connected(answer)
    text = pod_logs.logs("pod/x", follow=follow).text
    assert text.rstrip("\n") == TEXT
    assert "success \n[K   green\nend1\n" in capsys.readouterr().out
