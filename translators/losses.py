"""What a translation dropped, defaulted, folded or invented: recorded with the frame that carries it, never silent."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

LossKind: TypeAlias = Literal["dropped", "defaulted", "folded", "shortened", "synthesised"]
"""dropped: the member has no counterpart; defaulted: the target requires a member that the source lacks;
folded: several source values became one; shortened: cut to the target's length; synthesised: a whole message was invented."""


class Loss(msgspec.Struct, frozen=True, gc=False):
    """One loss: the member it concerns (in the spelling of the version that has it) and what happened to it."""

    field: str
    kind: LossKind
