"""Runs a command and prints as JSON: milliseconds, CPU seconds with its children, peak memory of its largest process, exit code.

    measure.py COMMAND ARGUMENT...

The command's standard output goes to file descriptor 3. This is Python because Node cannot ask what a child process used.
"""

import json
import os
import sys
import time

start = time.monotonic()
actions = [(os.POSIX_SPAWN_DUP2, 3, 1), (os.POSIX_SPAWN_CLOSE, 3)]
child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=actions)
_, status, usage = os.wait4(child, 0)
print(
    json.dumps(
        {
            "milliseconds": (time.monotonic() - start) * 1000,
            "cpuSeconds": usage.ru_utime + usage.ru_stime,
            "peakBytes": usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
            "exitCode": os.waitstatus_to_exitcode(status),
        }
    )
)
