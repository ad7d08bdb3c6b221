"""What the API server refuses, by what refused it; releases of Helm that it blocks."""

from __future__ import annotations

import re

from labkit.diagnosis import symptoms
from labkit.diagnosis.facts import Facts
from labkit.diagnosis.mistake import Mistake
from labkit.kube import helm

STUCK_S = 900  # longer than a `helm upgrade --wait` may take without a --timeout of its own
_CONFLICT = re.compile(r"Apply failed with \d+ conflicts?: (?P<rest>.+)", re.DOTALL)
_MANAGER = re.compile(
    r'conflicts? with "(?P<manager>[^"]+)"(?: with subresource "(?P<sub>[^"]+)")?'
)
_FIELD = re.compile(r"(?:(?<=: )|(?<=- ))(\.[\w.\[\]\"=:/,{}*-]+)")
_UNKNOWN_FIELD = re.compile(
    r'(?:unknown field|duplicate field) "[^"]+"|field not declared in schema|'
    r"ValidationError\([^)]*\): unknown field [^;]+"
)
_PENDING = re.compile(r"another operation \(install/upgrade/rollback\) is in progress")
_NOT_HELMS = re.compile(
    r'(?P<what>\w+ "[^"]+" in namespace "[^"]*") exists and cannot be imported'
    r" into the current release"
)

_POD_FIELD = re.compile(r"(pod updates may not change fields other than)(.*)")


def field_conflict(facts: Facts) -> str:
    """Field, manager and subresource, as the API server lists them."""
    found = _CONFLICT.search(facts.error)
    if not found:
        return ""
    rest = found["rest"].partition("\ntry:")[0]
    managers = [
        f"{one['manager']}{(one['sub'] and ' (by its ' + one['sub'] + ')') or ''}"
        for one in _MANAGER.finditer(rest)
    ]
    fields = list(dict.fromkeys(_FIELD.findall(rest)))
    if not (managers and fields):
        return f"the API server reported: {symptoms.end_of(found[0])}"
    return f"{', '.join(fields)} belongs to {' and '.join(dict.fromkeys(managers))}"


def helm_pending(facts: Facts) -> str:
    if found := _PENDING.search(facts.error):
        return f"helm reported: {found[0]}"
    newest: dict[str, dict] = {}
    for record in facts.releases:
        labels = record["metadata"].get("labels") or {}
        if not {"name", "version"} <= labels.keys():
            continue
        name, version = labels.get("name", ""), int(labels.get("version", "0") or 0)
        known = newest.get(name)
        if not known or version > int(known["metadata"]["labels"]["version"]):
            newest[name] = record
    for name, record in newest.items():
        status, born = helm.status(record), record["metadata"].get("creationTimestamp")
        if status.startswith("pending-") and born and symptoms.seconds_since(facts, born) > STUCK_S:
            return f"the newest revision of release {name} is {status} since {born}"
    return ""


def not_helms(facts: Facts) -> str:
    found = _NOT_HELMS.search(" ".join(facts.error.split()))
    return f"helm reported: {found['what']} exists, and is not of this release" if found else ""


def unknown_field(facts: Facts) -> str:
    found = _UNKNOWN_FIELD.search(facts.error)
    return f"the API server reported: {found[0]}" if found else ""


def no_limits(facts: Facts) -> str:
    return symptoms.not_created(facts, r"failed quota: [^()\n]+")


def outside_range(facts: Facts) -> str:
    said = (
        r"(?:maximum|minimum) \S+ usage per \w+ is [\w.]+(?:, but \w+ is \w+)?"
        r"|\S+ max limit to request ratio per \w+ is [\w.]+"
    )
    return symptoms.not_created(facts, said)


def baseline(facts: Facts) -> str:
    return symptoms.not_created(facts, r'violates PodSecurity "baseline[^"]*": [^\n]+')[:250]


def webhook_denied(facts: Facts) -> str:
    said = (
        r"admission webhook \"[^\"]+\" denied the request[^\n]*"
        r"|(ValidatingAdmissionP|p)olicy ['\"][^'\"]+['\"].*? denied request[^\n]*"
    )
    return symptoms.not_created(facts, said)[:250]


def webhook_silent(facts: Facts) -> str:
    return symptoms.not_created(facts, r"failed calling webhook \"[^\"]+\"[^\n]*")[:250]


def pod_field(facts: Facts) -> str:
    """A change of a Pod's own fields; the API server does not mention the subresource resize."""
    found = _POD_FIELD.search(" ".join(facts.error.split()))
    if not found:
        return ""
    changed = "a Pod's resources" if "Resources" in found[2] else "a Pod"
    return f"the API server reported of {changed}: {found[1]}"


def service_account(facts: Facts) -> str:
    said = r"error looking up service account [^:]+: serviceaccount \"[^\"]+\" not found"
    return symptoms.not_created(facts, said)


def not_permitted(facts: Facts) -> str:
    said = r"User \"[^\"]+\" cannot \w+ resource \"[^\"]+\"[^:\n]*"
    return symptoms.not_created(facts, said)


def priority_class(facts: Facts) -> str:
    return symptoms.not_created(facts, r"no PriorityClass with name \S+ was found")


ROWS = (
    Mistake(
        "field-conflict",
        "Conflict: Apply failed with 1 conflict: conflict with … using apps/v1: .spec…",
        "another program has set that field since, and server-side apply takes no field from"
        " another one; the same line again fails again",
        "give the value that the field has now; or take it back: kubectl apply --server-side"
        " --force-conflicts --filename FILE",
        "kubectl get deployment/ollama --output=yaml --show-managed-fields",
        "the API server's message in the error",
        field_conflict,
        unless="the message is about resourceVersion: then read the object again, and once more",
    ),
    Mistake(
        "helm-release-pending",
        "helm: another operation (install/upgrade/rollback) is in progress",
        "a helm that was interrupted left its release in pending-install or pending-upgrade",
        "helm rollback NAME to the last good revision; with none: helm uninstall NAME",
        "helm list --all",
        "helm's message in the error; the labels of Helm's own Secrets",
        helm_pending,
        unless="another helm is at work on the release at this moment",
    ),
    Mistake(
        "helm-object-not-its-own",
        "helm: exists and cannot be imported into the current release",
        "an object of that name was made without Helm, or by another release",
        "delete the object; or let Helm have it: helm upgrade --install --take-ownership …",
        "kubectl get deployments,services --show-labels",
        "helm's message in the error",
        not_helms,
        unless="its annotation meta.helm.sh/release-name is this release's",
    ),
    Mistake(
        "unknown-field",
        'strict decoding error: unknown field "spec.…"',
        "the manifest has a field that this kind does not have, or has it at another place",
        "correct its name or its indentation; kubectl explain shows the fields",
        "kubectl explain deployment.spec.template.spec.containers",
        "the API server's message in the error",
        unknown_field,
        unless="kubectl explain KIND.PATH lists the field",
    ),
    Mistake(
        "quota-wants-limits",
        "failed quota: … must specify limits.memory",
        "the namespace has a ResourceQuota on requests or limits, and the container names none",
        "kubectl set resources deployment/ollama --requests=cpu=100m,memory=1Gi"
        " --limits=memory=1Gi",
        "kubectl describe resourcequotas",
        "condition ReplicaFailure and event FailedCreate of workloads; the error",
        no_limits,
        unless="each container has what the message names",
    ),
    Mistake(
        "outside-limit-range",
        "maximum memory usage per Container is …, but limit is …; minimum …",
        "a LimitRange of the namespace allows less, or wants more, than the container names",
        "name what the message allows: kubectl set resources deployment/ollama --limits=memory=…",
        "kubectl describe limitranges",
        "condition ReplicaFailure and event FailedCreate of workloads; the error",
        outside_range,
        unless="requests and limits lie between Min and Max",
    ),
    Mistake(
        "baseline-namespace",
        'violates PodSecurity "baseline"',
        "the namespace accepts no Pod with rights on its node: hostPath, hostNetwork, privileged",
        "take what the message names out of the Pod: an emptyDir or a claim for hostPath, a Service"
        " for hostNetwork or hostPort",
        "kubectl get namespaces --show-labels",
        "condition ReplicaFailure and event FailedCreate of workloads; the error",
        baseline,
        unless="the namespace's label pod-security.kubernetes.io/enforce is privileged",
    ),
    Mistake(
        "policy-denied",
        "admission webhook … denied the request; ValidatingAdmissionPolicy … denied request",
        "a rule of this cluster does not allow the object, and its message names it",
        "change what the message names; or ask who keeps the policy",
        "kubectl get validatingwebhookconfigurations,validatingadmissionpolicies",
        "condition ReplicaFailure and event FailedCreate of workloads; the error",
        webhook_denied,
        unless="the message names an object other than yours",
    ),
    Mistake(
        "webhook-silent",
        "failed calling webhook: no endpoints available, connection refused, timeout",
        "a program that must agree to each object does not answer: the object may be right",
        "start that program again; its Service is in the message",
        "kubectl get validatingwebhookconfigurations,mutatingwebhookconfigurations",
        "condition ReplicaFailure and event FailedCreate of workloads; the error",
        webhook_silent,
        unless="the webhook's Service has ready endpoints",
    ),
    Mistake(
        "pod-field-cannot-change",
        "pod updates may not change fields other than spec.containers[*].image …",
        "most fields of a Pod cannot be changed while it exists; its resources can, through the"
        " subresource resize, which kubectl set resources and kubectl edit do not use for a Pod",
        "kubectl set resources deployment/NAME --limits=memory=1Gi for its Pods; one in place:"
        " kubectl edit pod/NAME --subresource=resize; any other field: delete and create the Pod",
        "kubectl get pods --output=yaml",
        "the error",
        pod_field,
        unless="the message names another object than a Pod",
    ),
    Mistake(
        "service-account-missing",
        'error looking up service account: serviceaccount "…" not found',
        "the Pod names a ServiceAccount that its namespace does not have",
        "kubectl create serviceaccount NAME, or take serviceAccountName away",
        "kubectl get serviceaccounts",
        "condition ReplicaFailure and event FailedCreate of workloads; the error",
        service_account,
        unless="kubectl get serviceaccounts lists it in this namespace",
    ),
    Mistake(
        "not-permitted",
        'forbidden: User "…" cannot create resource "…"',
        "the user or ServiceAccount lacks the right",
        "have a Role with that verb and resource bound to it",
        "kubectl auth can-i --list",
        "condition ReplicaFailure and event FailedCreate of workloads; the error",
        not_permitted,
        unless="kubectl auth can-i says yes for that user",
    ),
    Mistake(
        "priority-class-missing",
        "no PriorityClass with name … was found",
        "the Pod names a PriorityClass that the cluster does not have",
        "take priorityClassName away, or name one that exists",
        "kubectl get priorityclasses",
        "condition ReplicaFailure and event FailedCreate of workloads; the error",
        priority_class,
        unless="kubectl get priorityclasses lists it",
    ),
)
