"""labkit/kube/deletion.py: what is refused before anything is asked, and an answer that is lost.

What the verbs do in a real cluster is in tests/cluster/test_verbs.py.
"""

import pytest

from labkit.errors import LabError, NotFound
from labkit.kube import deletion


@pytest.mark.parametrize("target", ["pod/", "/x", "a/b/c", "namespace/lab", "pod/..", "pod/x?y"])
def test_a_target_that_is_no_object_of_the_namespace_is_refused(asked, target):
    found = asked()
    with pytest.raises(LabError):
        deletion.delete(target)
    assert found == []


def test_a_delete_whose_answer_is_lost_is_done_once_more_and_well(store, connected):
    """The first was done: what was deleted has gone when it is sent again."""
    store.add({"kind": "Pod", "metadata": {"name": "x"}, "spec": {}})
    lost = []

    def answer(handler) -> None:
        if handler.command == "DELETE" and not lost:
            lost.append(handler.path)
            store._answered("DELETE", handler.path, "", handler.body)
            handler.close_connection = True
        else:
            store.answer(handler)

    connected(answer)
    assert repr(deletion.delete("pod/x")) == "pod/x deleted"
    assert lost and store.names() == []


def test_several_objects_are_deleted_by_one_line_and_those_that_are_missing_are_named(
    store, capsys
):
    for name in ("x", "y"):
        store.add({"kind": "Pod", "metadata": {"name": name}, "spec": {}})
    done = deletion.delete("pod/x", "configmap/none", "y", ignore_not_found=True)
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "$ kubectl delete pod/x configmap/none pod/y --ignore-not-found"
    assert out[-1] == "not there: configmap/none"
    assert repr(done) == "pod/x, pod/y deleted"
    assert store.names() == []


def test_of_several_the_first_that_is_missing_is_an_error(store):
    store.add({"kind": "Pod", "metadata": {"name": "x"}, "spec": {}})
    with pytest.raises(NotFound, match="there is no pod/y"):
        deletion.delete("y", "x")


def test_delete_without_a_name_is_refused_in_words(store):
    with pytest.raises(LabError, match="delete wants an object"):
        deletion.delete()
