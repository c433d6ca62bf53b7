"""Named places where a test may kill the process: `OCPPGW_FAILPOINT=after_append:kill` or `...:kill:3` for the third time.

Names: after_append, before_commit, after_commit, before_send_upstream, after_upstream_answer.
"""

from __future__ import annotations

import os
import signal

_name, _, _rest = os.environ.get("OCPPGW_FAILPOINT", "").partition(":")
_action, _, _count = _rest.partition(":")
_left = int(_count) if _count.isdigit() else 1

armed = bool(_name)
"""Whether any fail-point is set; callers test it first, so that an unset one costs nothing."""


def hit(name: str) -> None:
    """The process has come to the place `name`."""
    global _left
    if name == _name and _action == "kill":
        _left -= 1
        if _left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
