"""Run a command that dies with its parent: `python leash.py PARENT_PID COMMAND ...` (Linux).

A process of its own, because a `preexec_fn` would run Python in the fork of a process that has threads.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h

parent, *command = sys.argv[1:]
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
# The parent may have died before the line above: nobody would send the signal then.
if os.getppid() != int(parent):
    sys.exit("the process that asked for this server is gone")
os.execvp(command[0], command)
