"""/api/v1/rebalance: chargers spread over the edges that there are now."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec
from aiohttp import web

from gateway.journal.errors import StoreDown
from gateway.rebalance import Plan, Rebalance

from .table import Endpoint, Part, reply


class Spread(msgspec.Struct, forbid_unknown_fields=True):
    """Body of POST /api/v1/rebalance; an empty body is `{}`."""

    rate: float = 0
    """Chargers per second; 0: `drain.close_rate`."""
    dry_run: bool = False


class Rebalancing(Part):
    """Endpoints of a rebalance."""

    def __init__(self, rebalance: Rebalance, rate: Callable[[], float]) -> None:
        """`rate`: chargers per second if the request names none."""
        self._rebalance = rebalance
        self._rate = rate

    def endpoints(self) -> Sequence[Endpoint]:
        """Looking, and beginning."""
        return (
            Endpoint("GET", "/rebalance", self._show, "How many chargers are still to be sent away"),
            Endpoint(
                "POST", "/rebalance", self._start, "Spread the chargers over the edges", "operate",
                body=Spread, optional_body=True, refusals=(409,),
            ),
        )  # fmt: skip

    async def _start(self, request: web.Request) -> web.Response:
        """202 with the plan when a round has begun, 200 when there is nothing to do, 409 while one is under way."""
        try:
            wanted = msgspec.json.decode(await request.read() or b"{}", type=Spread)
        except msgspec.MsgspecError as error:
            return reply({"errors": [str(error)]}, 400)
        if wanted.rate < 0:
            return reply({"errors": ["rate: must not be negative"]}, 400)
        rate = wanted.rate or self._rate()
        try:
            plan = (await self._rebalance.look())[0] if wanted.dry_run else await self._rebalance.start(rate)
        except StoreDown as error:
            return reply({"errors": [f"the store is unreachable: {error}"]}, 503)
        if plan is None:
            return reply({"errors": [f"a rebalance is under way, {self._rebalance.left} chargers are left"]}, 409)
        return reply(_shown(plan, rate), 202 if plan.total and not wanted.dry_run else 200)

    async def _show(self, _request: web.Request) -> web.Response:
        """How many chargers the round of this process has still to send away."""
        return reply({"left": self._rebalance.left})


def _shown(plan: Plan, rate: float) -> dict[str, object]:
    edges = {edge: {"chargers": count, "moves": plan.moves.get(edge, 0)} for edge, count in plan.chargers.items()}
    return {"edges": edges, "moves": plan.total, "seconds": round(plan.total / rate, 1)}
