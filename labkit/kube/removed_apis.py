"""API versions that Kubernetes has taken away: in which release, and what to write instead."""

from __future__ import annotations

# https://kubernetes.io/docs/reference/using-api/deprecation-guide/
_REMOVED: dict[str, str | dict[str, str]] = {
    "extensions/v1beta1": {"Ingress": "1.22", "": "1.16"},
    "apps/v1beta1": "1.16",
    "apps/v1beta2": "1.16",
    "admissionregistration.k8s.io/v1beta1": "1.22",
    "apiextensions.k8s.io/v1beta1": "1.22",
    "apiregistration.k8s.io/v1beta1": "1.22",
    "authentication.k8s.io/v1beta1": "1.22",
    "authorization.k8s.io/v1beta1": "1.22",
    "autoscaling/v2beta1": "1.25",
    "autoscaling/v2beta2": "1.26",
    "batch/v1beta1": "1.25",
    "batch/v2alpha1": "1.21",
    "certificates.k8s.io/v1beta1": "1.22",
    "coordination.k8s.io/v1beta1": "1.22",
    "discovery.k8s.io/v1beta1": "1.25",
    "events.k8s.io/v1beta1": "1.25",
    "flowcontrol.apiserver.k8s.io/v1beta1": "1.26",
    "flowcontrol.apiserver.k8s.io/v1beta2": "1.29",
    "flowcontrol.apiserver.k8s.io/v1beta3": "1.32",
    "networking.k8s.io/v1beta1": "1.22",
    "node.k8s.io/v1beta1": "1.25",
    "policy/v1beta1": "1.25",
    "rbac.authorization.k8s.io/v1beta1": "1.22",
    "scheduling.k8s.io/v1beta1": "1.22",
    "storage.k8s.io/v1beta1": {"CSIStorageCapacity": "1.27", "": "1.22"},
}
_SELECTOR = "spec.selector has to be there"
_CHANGED = {
    "DaemonSet": _SELECTOR,
    "Deployment": _SELECTOR,
    "HorizontalPodAutoscaler": "a metric's target has type: Utilization and averageUtilization",
    "Ingress": "each path has a pathType, and its backend is service: {name, port: {number}}",
    "ReplicaSet": _SELECTOR,
    "StatefulSet": _SELECTOR,
}


def release(api_version: str, kind: str) -> str:
    """The release that took it away; empty where none did.

    >>> release("extensions/v1beta1", "Ingress"), release("apps/v1", "Deployment")
    ('1.22', '')
    """
    found = _REMOVED.get(api_version, "")
    return found if isinstance(found, str) else found.get(kind, found[""])


def change(kind: str) -> str:
    """What the newer version wants besides; empty where nothing."""
    return _CHANGED.get(kind, "")
