"""tools/site/reference.py: every public name once, in the order of the package's docstring."""

import re

import labkit
from tools.site import reference


def test_every_public_name_has_one_entry():
    names = re.findall(r"^(?:::: labkit|### lab)\.(\w+)$", reference.page(), re.MULTILINE)
    assert sorted(names) == sorted(labkit.__all__)


def test_each_group_is_named_by_what_its_names_do():
    page = reference.page()
    assert "\n## The lab and your namespace; the first line of every notebook\n" in page
    assert "\n## kubectl's commands\n" in page
    assert page.index("lab.start") < page.index("lab.run\n") < page.index("lab.LabError\n")
