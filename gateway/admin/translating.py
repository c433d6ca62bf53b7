"""/api/v1/translate: frames in, what would leave out, with what each translation loses. No charger and no CSMS is involved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, Protocol

import msgspec
from aiohttp import web

from translators import PAIRS, VERSIONS, NoTranslation, Options, pairs, translatable
from translators.atlas import KINDS, Table, table

from .table import Bad, Endpoint, Part, body_of, reply

STEPS_MOST: Final = 500
TICK_MOST: Final = 7 * 86_400

Version = Literal["ocpp1.5", "ocpp1.6", "ocpp2.0.1"]


class Talk(Protocol):
    """One charger and one CSMS; `cli.translate.Conversation`."""

    def feed(self, text: str) -> list[dict[str, Any]]: ...


class Step(msgspec.Struct, forbid_unknown_fields=True, rename={"source": "from"}):
    """A frame that comes, or a control frame."""

    source: Literal["charger", "csms", "control"]
    frame: list[Any]
    """As on the wire; of `control`: ["csms_down"], ["csms_up"] or ["tick", seconds]."""
    at: str | None = None
    """ISO 8601; now without it."""


class Translate(msgspec.Struct, forbid_unknown_fields=True):
    """A conversation from its first frame. The same steps give the same ids, so that a later step can answer what left before."""

    charger: Version
    csms: Version
    steps: list[Step]
    options: Options = Options()
    """As in `upstreams.<name>.options`, and `registered`: whether the charger has booted before."""


class Loss(msgspec.Struct):
    """What a translation lost."""

    field: str
    kind: str


class Left(msgspec.Struct):
    """A frame that leaves."""

    to: str
    frame: Any
    losses: list[Loss]


class Translated(msgspec.Struct):
    """What leaves after each step."""

    steps: list[list[Left]]


class Atlas(msgspec.Struct):
    """What becomes of every message and of every member between a charger and a CSMS; `docs/translation` has the same."""

    charger: str
    csms: str
    steps: list[Table]
    """The pairs of neighbouring versions between them, the charger's first; none between equal versions: nothing is translated."""
    kinds: dict[str, str]
    """What each kind of loss means."""


class Translating(Part):
    """`talk(charger, csms, options)` begins a conversation; `bad` is what a step raises that is none."""

    def __init__(self, talk: Callable[[str, str, Options], Talk], bad: type[Exception]) -> None:
        self._talk = talk
        self._bad = bad

    def endpoints(self) -> Sequence[Endpoint]:
        """The one, and what there is to translate."""
        return (
            Endpoint(
                "POST", "/translate", self._translate, "What the gateway would make of frames",
                body=Translate, answer=Translated, refusals=(422,),
            ),
            Endpoint("GET", "/translate", self._matrix, "What can be translated into what"),
            Endpoint(
                "GET", "/translate/{charger}/{csms}", self._atlas, "What becomes of every message and what may be lost of it",
                answer=Atlas, refusals=(404,),
            ),
        )  # fmt: skip

    async def _translate(self, request: web.Request) -> web.Response:
        wanted: Translate = await body_of(request, Translate)
        if len(wanted.steps) > STEPS_MOST:
            raise Bad(422, f"steps: at most {STEPS_MOST}")
        for each in wanted.steps:
            if each.source == "control" and each.frame[:1] == ["tick"]:
                seconds = each.frame[1] if len(each.frame) > 1 else None
                if not isinstance(seconds, int | float) or not 0 <= seconds <= TICK_MOST:
                    raise Bad(422, f"tick: from 0 to {TICK_MOST} seconds")
        return reply(await asyncio.to_thread(self._run, wanted))

    def _run(self, wanted: Translate) -> Translated:
        try:
            talk = self._talk(wanted.charger, wanted.csms, wanted.options)
        except (NoTranslation, ValueError) as error:
            raise Bad(422, str(error)) from None
        steps = []
        for number, each in enumerate(wanted.steps):
            try:
                left = talk.feed(msgspec.json.encode(each).decode())
            except self._bad as error:
                raise Bad(422, f"steps[{number}]: {error}") from None
            steps.append(
                [
                    Left(one["to"], one["frame"], msgspec.convert(msgspec.to_builtins(one["losses"]), list[Loss]))
                    for one in left
                ]
            )
        return Translated(steps)

    async def _matrix(self, _request: web.Request) -> web.Response:
        """Version of the charger -> version of the CSMS -> what happens."""
        adjacent = {(charger, csms) for charger, csms, _ in PAIRS}
        found: dict[str, dict[str, str]] = {}
        for charger in VERSIONS:
            for csms in VERSIONS:
                found.setdefault(charger, {})[csms] = (
                    "same" if charger == csms
                    else "translated" if (charger, csms) in adjacent
                    else "in two steps" if translatable(charger, csms)
                    else "no"
                )  # fmt: skip
        return reply({"versions": list(VERSIONS), "matrix": found})

    async def _atlas(self, request: web.Request) -> web.Response:
        charger, csms = request.match_info["charger"], request.match_info["csms"]
        if charger not in VERSIONS or csms not in VERSIONS:
            raise Bad(404, f"the versions are {', '.join(VERSIONS)}")
        try:
            steps = await asyncio.to_thread(lambda: [table(each) for each in pairs(charger, csms)])
        except NoTranslation as error:
            raise Bad(404, str(error)) from None
        response = reply(Atlas(charger, csms, [each for each in steps if each is not None], KINDS))
        response.enable_compression()
        return response
