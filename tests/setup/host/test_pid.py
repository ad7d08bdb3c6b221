"""labkit/setup/host/pid.py: is the process that left its name behind still there?"""

import os
import subprocess

from labkit.setup.host import pid


def test_a_process_is_dead_when_it_has_ended_and_another_may_have_its_number():
    with subprocess.Popen(["sleep", "60"]) as child:
        named = pid.name(child.pid)
        assert not pid.is_dead(named)
        child.kill()
    assert pid.is_dead(named)
    host = named.partition(".")[0]
    assert pid.is_dead(f"{host}.{os.getpid()}.1")


def test_of_another_machine_and_of_nonsense_nobody_can_tell():
    assert not pid.is_dead(f"elsewhere.{os.getpid()}.1")
    assert not pid.is_dead("")
    assert not pid.is_dead(f"{pid.name().partition('.')[0]}.x")
