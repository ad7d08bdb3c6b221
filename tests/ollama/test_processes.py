"""labkit/ollama/processes.py: top's table, as it is printed."""

from labkit.ollama import processes

TOP = """\
top - 04:29:33 up  1:23,  0 users,  load average: 0.52, 0.58, 0.59
Tasks:   3 total,   1 running,   2 sleeping,   0 stopped,   0 zombie
%Cpu(s):  3.1 us,  3.1 sy,  0.0 ni, 93.8 id,  0.0 wa,  0.0 hi,  0.0 si,  0.0 st
MiB Mem :  24000.0 total,   1000.0 free,   9000.0 used,  14000.0 buff/cache

    PID USER      PR  NI    VIRT    RES    SHR S  %CPU  %MEM     TIME+ COMMAND
      1 root      20   0 1264512  44132  28544 S   0.0   0.2   0:00.20 /bin/ollama serve
     20 root      20   0 3264512   1.2g  28544 R  99.9   5.0   0:10.00 /bin/ollama runner --model x
     40 root      20   0    8524   4500   2544 R   6.2   0.0   0:00.01 top -b -c -n 1 -w 200
"""


def test_processes_are_the_largest_first_without_top_itself():
    table = processes._processes(TOP)
    assert table.rows == [
        ["20", "1229 MiB", "99.9", "/bin/ollama runner --model x"],
        ["1", "43 MiB", "0.0", "/bin/ollama serve"],
    ]
