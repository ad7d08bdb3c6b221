"""Version numbers: compared as numbers, and no pre-release is ever the newest."""

import pytest

from labkit.setup.build import numbers


@pytest.mark.parametrize(
    "text",
    ["1.38.0-beta.0", "v3.7.0-rc.0", "3.0a1", "2.0b2", "1.0rc1", "1.0.dev3", "v0.0.0-2024-abc", ""],
)
def test_a_pre_release_has_no_numbers(text):
    assert numbers.read(text) == ()


def test_the_newest_is_found_by_number_and_not_by_letter():
    served = [numbers.read(text) for text in ("1.9.0", "1.10.0", "1.38.0-beta.0", "1.9.11")]
    assert numbers.newest(served) == (1, 10, 0)
    assert numbers.newest(served, of=(1, 9)) == (1, 9, 11)
    assert numbers.newest(served, of=(2, 0)) == ()
