"""labkit/kube/apply.py: what is refused before anything is asked, and how a manifest is named."""

import json

import pytest
import yaml

from labkit.errors import NotFound, Refused, UnknownResource
from labkit.kube import apply, session

POD = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}, "spec": {}}
HERE = "/api/v1/namespaces/lab/pods"


@pytest.mark.parametrize(
    ("item", "where"),
    [
        ({**POD, "metadata": {"name": "x", "namespace": "kube-system"}}, "namespace kube-system"),
        ({**POD, "kind": "Namespace"}, "the whole cluster"),
    ],
)
def test_apply_changes_nothing_when_one_object_is_for_elsewhere(asked, item, where):
    found = asked()
    with pytest.raises(Refused, match=where):
        apply.apply(yaml.safe_dump_all([POD, item]))
    assert found == []


def test_apply_takes_a_file_a_folder_text_and_a_dict(asked, tmp_path):
    found = asked()
    file = tmp_path / "pod.yaml"
    file.write_text(yaml.safe_dump(POD))
    for what in (file, str(tmp_path), yaml.safe_dump(POD), POD):
        if what == str(tmp_path):
            (tmp_path / "kubeconfig").rename(tmp_path / "kubeconfig.kept")
        assert repr(apply.apply(what)) == "pod/x serverside-applied"
    assert [path.partition("?")[0] for _, path in found] == [f"{HERE}/x"] * 4
    assert {method for method, _ in found} == {"PATCH"}


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ("k8s/nosuch.yaml", NotFound),
        ("a: [", Refused),
        ("just: words\n", Refused),
        ("kind: Pod\nmetadata:\nname: x\n", Refused),
        ("kind: Pod\nmetadata: {generateName: x-}\n", Refused),
        ("- kind: Pod\n- x\n", Refused),
    ],
)
def test_what_is_no_manifest_is_said_before_anything_is_asked(asked, what, error):
    found = asked()
    with pytest.raises(error):
        apply.apply(what)
    assert found == []


@pytest.fixture
def scaling(discovery):
    """An API server that prefers autoscaling/v2, and has v1 and an older batch too."""
    kind = {"kind": "HorizontalPodAutoscaler"}
    row = {"resource": "horizontalpodautoscalers", "singularResource": "x", "responseKind": kind}
    row["scope"] = "Namespaced"
    versions = [{"version": version, "resources": [row]} for version in ("v2", "v1")]
    discovery["/apis"]["items"].append({"metadata": {"name": "autoscaling"}, "versions": versions})


def test_an_object_is_applied_in_the_version_that_it_is_written_in(scaling, asked):
    found = asked()
    item = {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "x"}}
    for version in ("v1", "v2"):
        apply.apply({**item, "apiVersion": f"autoscaling/{version}"})
    assert [path.split("/")[3] for _, path in found] == ["v1", "v2"]


@pytest.mark.parametrize(
    ("version", "kind", "saw", "hint"),
    [
        ("extensions/v1beta1", "Deployment", "Kubernetes 1.16 removed it", "apps/v1"),
        ("autoscaling/v2beta2", "HorizontalPodAutoscaler", "1.26 removed it", "autoscaling/v2"),
        ("apps/v3", "Deployment", "this cluster has it as apps/v1", "apiVersion: apps/v1"),
        ("v1", "Deployment", "this cluster has it as apps/v1", "apiVersion: apps/v1"),
        ("policy/v1beta1", "PodSecurityPolicy", "1.25 removed it", "Pod Security"),
        ("apps/v1", "deployment", "near to it: Deployment", "kind: Deployment"),
        ("apps/v1", "Deploymnet", "near to it: Deployment", "kind: Deployment"),
        (
            "monitoring.coreos.com/v1",
            "ServiceMonitor",
            "there is no name like it",
            "CustomResource",
        ),
    ],
)
def test_a_kind_that_is_not_served_so_is_explained(scaling, asked, version, kind, saw, hint):
    found = asked()
    item = {"apiVersion": version, "kind": kind, "metadata": {"name": "x"}}
    with pytest.raises(UnknownResource) as raised:
        apply.apply(yaml.safe_dump_all([POD, item]))
    assert f"{kind} in {version}" in raised.value.happened
    assert saw in raised.value.saw and hint in raised.value.hint
    # whether a definition is on its way is asked of what cannot be Kubernetes' own
    assert found == ([("GET", apply._DEFINITIONS)] if "coreos" in version else [])


def test_a_kind_that_came_since_is_found(asked, discovery):
    asked()
    apply.apply(POD)
    row = {"resource": "foos", "singularResource": "foo", "responseKind": {"kind": "Foo"}}
    versions = [{"version": "v1", "resources": [{**row, "scope": "Namespaced"}]}]
    discovery["/apis"]["items"].append({"metadata": {"name": "example.org"}, "versions": versions})
    item = {"apiVersion": "example.org/v1", "kind": "Foo", "metadata": {"name": "x"}}
    assert repr(apply.apply(item)) == "foo.example.org/x serverside-applied"
    discovery["/apis"]["items"][-1]["versions"][0]["resources"].append(
        {**row, "resource": "bars", "responseKind": {"kind": "Bar"}, "scope": "Namespaced"}
    )
    assert session.current().api.resource("bars").kind == "Bar"


def test_a_kind_whose_definition_was_made_a_moment_ago_is_waited_for(asked, discovery, monkeypatch):
    monkeypatch.setattr(apply.Poll, "pause", lambda self: serve())
    kind = {"group": "example.org", "names": {"kind": "Foo"}}
    versions = [{"name": "v1", "served": True}, {"name": "v0", "served": False}]
    found = asked({apply._DEFINITIONS: {"items": [{"spec": {**kind, "versions": versions}}]}})

    def serve() -> None:
        row = {"resource": "foos", "singularResource": "foo", "responseKind": {"kind": "Foo"}}
        served = [{"version": "v1", "resources": [{**row, "scope": "Namespaced"}]}]
        group = {"metadata": {"name": "example.org"}, "versions": served}
        discovery["/apis"]["items"].append(group)

    item = {"apiVersion": "example.org/v1", "kind": "Foo", "metadata": {"name": "x"}}
    for unknown in ({"apiVersion": "example.org/v0"}, {"kind": "Bar"}):
        with pytest.raises(UnknownResource):
            apply.apply({**item, **unknown})
    assert repr(apply.apply(item)) == "foo.example.org/x serverside-applied"
    assert {method for method, _ in found[:-1]} == {"GET"}
    with pytest.raises(Refused, match="waits until it is served"):
        definition = {**item, "apiVersion": "v1", "kind": "CustomResourceDefinition"}
        discovery["/api"]["items"][0]["versions"][0]["resources"].append(
            {
                "resource": "customresourcedefinitions",
                "singularResource": "x",
                "responseKind": {"kind": "CustomResourceDefinition"},
                "scope": "Cluster",
            }
        )
        apply.apply(definition)


def test_what_belongs_to_the_whole_cluster_gets_a_hint_that_fits(asked):
    asked()
    with pytest.raises(Refused) as raised:
        apply.apply({**POD, "kind": "Namespace"})
    assert "take it out of the file" in raised.value.hint
    assert "metadata.namespace" not in raised.value.hint
    with pytest.raises(Refused, match=r"leave out metadata\.namespace"):
        apply.apply({**POD, "metadata": {"name": "x", "namespace": "other"}})
    with pytest.raises(Refused, match="apiVersion"):
        apply.apply({"kind": "Pod", "metadata": {"name": "x"}})


def test_the_own_namespace_may_be_named(asked):
    found = asked()
    for place in ("lab", "", None):
        apply.apply({**POD, "metadata": {"name": "x", "namespace": place}})
    assert [path.partition("?")[0] for _, path in found] == [f"{HERE}/x"] * 3


def test_a_list_is_what_is_in_it(asked):
    found = asked()
    bare = {"metadata": {"name": "b"}}
    inner = {"apiVersion": "v1", "kind": "PodList", "items": [bare]}
    done = apply.apply({"apiVersion": "v1", "kind": "List", "items": [POD, inner]})
    assert repr(done) == "pod/x serverside-applied\npod/b serverside-applied"
    assert len(found) == 2


@pytest.mark.parametrize("text", ["---\n---\n", "# nothing\n", "kind: List\nitems: []\n"])
def test_nothing_to_apply_is_said(asked, text):
    asked()
    with pytest.raises(Refused, match="no object"):
        apply.apply(text)


@pytest.mark.parametrize("items", [None, "x", ["x"], [{"kind": "Pod"}]])
def test_a_list_of_something_else_is_refused(asked, items):
    asked()
    with pytest.raises(Refused):
        apply.apply({"apiVersion": "v1", "kind": "List", "items": items})


def test_a_key_that_is_there_twice_is_refused_with_both_lines(asked):
    found = asked()
    text = "apiVersion: v1\nkind: Pod\nmetadata: {name: x}\nspec:\n  a: 1\n  b: 2\n  a: 3\n"
    with pytest.raises(Refused) as raised:
        apply.apply(text)
    assert raised.value.happened == 'the key "a" is there twice'
    assert raised.value.saw == "lines 5 and 7 of -"
    assert found == []


def pod(**container: object) -> dict:
    spec = {"containers": [{"name": "main", "image": "i", **container}]}
    return {**POD, "spec": spec}


def deployment(**container: object) -> dict:
    spec = {"template": {"spec": pod(**container)["spec"]}}
    return {**POD, "apiVersion": "apps/v1", "kind": "Deployment", "spec": spec}


@pytest.mark.parametrize(
    ("item", "field", "hint"),
    [
        (pod(env=[{"name": "N", "value": 1}]), "spec.containers[main].env[N].value", '"1"'),
        (
            deployment(env=[{"name": "N", "value": True}]),
            "spec.template.spec.containers[main].env[N].value",
            '"true"',
        ),
        (pod(args=["serve", 1.5]), "spec.containers[main].args[1]", '"1.5"'),
        (pod(command=[0]), "spec.containers[main].command[0]", '"0"'),
        ({**POD, "metadata": {"name": "x", "labels": {"v": 1}}}, "metadata.labels.v", '"1"'),
        ({**POD, "spec": {"nodeSelector": {"gpu": True}}}, "spec.nodeSelector.gpu", '"true"'),
        ({**POD, "kind": "ConfigMap", "data": {"a": 1}}, "data.a", '"1"'),
        ({**POD, "kind": "Service", "spec": {"selector": {"a": 1}}}, "spec.selector.a", '"1"'),
    ],
)
def test_a_number_where_text_is_wanted_is_refused_with_the_fields_name(asked, item, field, hint):
    found = asked()
    with pytest.raises(Refused) as raised:
        apply.apply(item)
    assert raised.value.happened.endswith(f" {field} has to be text")
    assert hint in raised.value.hint
    assert found == []


@pytest.mark.parametrize(
    "item",
    [
        pod(env=[{"name": "N"}, {"name": "M", "value": None}], resources={"limits": {"cpu": 1}}),
        {**POD, "spec": {"containers": None}, "metadata": {"name": "x", "labels": None}},
    ],
)
def test_numbers_and_gaps_where_they_belong_are_applied(asked, item):
    assert asked() == [] and apply.apply(item)


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (
            deployment(env=[{"name": "N", "value": "1"}, {"name": "N", "value": "2"}]),
            "spec.template.spec.containers[main].env has N twice",
        ),
        (pod(volumeMounts=[{"mountPath": "/a"}] * 2), "containers[main].volumeMounts has /a twice"),
        ({**POD, "spec": {"containers": [{"name": "a"}] * 2}}, "spec.containers has a twice"),
        ({**POD, "spec": {"volumes": [{"name": "a"}] * 2}}, "spec.volumes has a twice"),
    ],
)
def test_a_name_that_is_there_twice_in_a_pod_is_refused(asked, item, said):
    found = asked()
    with pytest.raises(Refused, match="twice") as raised:
        apply.apply(item)
    assert raised.value.happened.endswith(said)
    assert found == []


def test_unquoted_dates_and_numbers_are_what_kubectl_takes_them_for(asked, connected, discovery):
    sent = []

    def answer(handler) -> None:
        path = handler.path.partition("?")[0]
        if path not in discovery:
            sent.append(json.loads(handler.body))
        handler.send(discovery.get(path, {}))

    connected(answer)
    apply.apply(
        "{apiVersion: v1, kind: Pod, metadata: {name: x}, spec: {day: 2026-01-01, time: 1:30,"
        " stamp: 2026-01-01T00:00:00Z, e: 1e3, o: 012, p: 0o17, z: 08, u: 1_000, one: 1.0, y: y,"
        " h: 0x1F, v: 1.10, plus: +5, dot: .5, no: =, nul: ~, 8080: x, t: 01, word: 1e, m: -}}"
    )
    assert sent[0]["spec"] == {
        "day": "2026-01-01", "time": "1:30", "stamp": "2026-01-01T00:00:00Z", "e": 1000, "o": 10,
        "p": 15, "z": 8, "u": 1000, "one": 1, "true": True, "h": 31, "v": 1.1, "plus": 5,
        "dot": 0.5, "false": "=", "nul": None, "8080": "x", "t": 1, "word": "1e", "m": "-",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["1", "y", "1e3"])
def test_a_name_that_yaml_takes_for_something_else_wants_quotes(asked, name):
    asked()
    with pytest.raises(Refused, match="quotes"):
        apply.apply(f"apiVersion: v1\nkind: Pod\nmetadata: {{name: {name}}}\n")
    assert apply.apply(f'apiVersion: v1\nkind: Pod\nmetadata: {{name: "{name}"}}\n')


def test_a_folders_json_files_are_read_too(asked, tmp_path):
    found = asked()
    (tmp_path / "a.json").write_text(json.dumps(POD, indent="\t"))
    (tmp_path / "b.yml").write_text(yaml.safe_dump({**POD, "metadata": {"name": "z"}}))
    assert repr(apply.apply(tmp_path)) == "pod/x serverside-applied\npod/z serverside-applied"
    assert len(found) == 2
