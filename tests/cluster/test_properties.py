"""A few of the examples of tests/properties.py, drawn anew each time; a failure has the seed."""

import secrets

from labkit.kube import session
from tests import properties

EXAMPLES = 8


def test_what_apply_reads_is_what_kubectl_makes_of_the_same_manifest(twins):
    seed = secrets.randbelow(10**6)
    print(f"seed {seed}")
    here = session.current()
    assert here.namespace == twins.ours
    differ = list(properties.manifests_differ(seed, EXAMPLES, here, "kubectl"))
    assert not differ, "\n".join(differ)
