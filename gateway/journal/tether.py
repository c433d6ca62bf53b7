"""Runs a program that dies with the process that asked for it, even by SIGKILL.

Used as a script: `tether.py PARENT PROGRAM ARGS...`, PARENT being a process id.
Linux tells the program itself by a signal (prctl). Elsewhere, and with PARENT 0, this process stays in between: its
standard input is a pipe from the parent, whose end means that the parent is gone.
"""

import os
import signal
import subprocess
import sys
import threading

PR_SET_PDEATHSIG = 1


def main(parent: int, program: list[str]) -> int:
    if parent and sys.platform == "linux":
        import ctypes

        # SIGTERM: the server syncs its file and leaves.
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        # The parent may have died before prctl: then nobody will tell.
        if os.getppid() == parent:
            os.execv(program[0], program)
        return 1
    child = subprocess.Popen(program, stdin=subprocess.DEVNULL, close_fds=False)

    def follow() -> None:
        while os.read(0, 1):
            pass
        child.terminate()

    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    threading.Thread(target=follow, daemon=True).start()
    return child.wait()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
