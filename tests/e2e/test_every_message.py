"""Same version on both sides: a CSMS and a charger cannot tell a gateway between them from a wire (reliability I-40, I-25).

Every action of 1.5, 1.6 and 2.0.1, both directions, with little and with everything in it, and every CALLERROR code: the
transcripts of both ends are equal byte for byte but for the message ids.
"""

from __future__ import annotations

import pytest

from tests.schemas import Version, actions

from .conftest import StartGateway
from .lines import ERRORS, Writer, script
from .puppet import Frame, Side, Stage, Step

VERSIONS: tuple[Version, ...] = ("1.5", "1.6", "2.0.1")


async def perform(
    version: Version, start_gateway: StartGateway | None, acts: list[list[Step]]
) -> tuple[list[Frame], ...]:
    """Plays a script directly or, with `start_gateway`, through a gateway; each act after the first all at once.

    Returns what charger and CSMS saw.
    """
    stage = Stage(f"ocpp{version}")
    await stage.open()
    try:
        url = stage.url
        if start_gateway is not None:
            route = {
                "match": "*",
                "primary": "main",
                "lifeline": {"address": "allow"},
            }  # SetNetworkProfile is a message too
            gateway = await start_gateway({"main": {"url": url, "version": f"ocpp{version}"}}, routes=[route])
            url = gateway.url
        await stage.plug_in(url)
        first, *others = acts
        await stage.play(first)
        for act in others:
            await stage.play_at_once(act)
    finally:
        await stage.close()
    assert stage.charger.recorder.faults == stage.csms.recorder.faults == []
    return stage.charger.transcript, stage.csms.transcript


@pytest.mark.parametrize("version", VERSIONS)
async def test_every_message_and_every_error(version: Version, start_gateway: StartGateway) -> None:
    acts = [list(script(version))]
    assert {step.action for step in acts[0]} == set(actions(version))
    direct = await perform(version, None, acts)
    assert {name.split()[1] for _, name, _ in direct[0] if name.startswith("error")} == set(ERRORS[version])
    assert await perform(version, start_gateway, acts) == direct


@pytest.mark.parametrize("version", VERSIONS)
async def test_both_directions_at_once(version: Version, start_gateway: StartGateway) -> None:
    """Four CALLs of the charger and one of the CSMS cross: every CALL gets its own answer, and each side's order is kept."""
    writer = Writer(version)

    def step(by: Side, action: str) -> Step:
        ask, tell = writer.payload(action, "request", "full"), writer.payload(action, "response", "full")
        return Step(by, action, ask, b"3," + tell)

    messages = ("StatusNotification", "MeterValues", "Authorize", "DataTransfer")
    acts = [[step("charger", "BootNotification")]]
    for command in ("ClearCache", "UnlockConnector", "Reset", "DataTransfer"):
        acts.append([*(step("charger", action) for action in messages), step("csms", command)])
    through, direct = await perform(version, start_gateway, acts), await perform(version, None, acts)
    for one, other in zip(through, direct, strict=True):
        assert streams(one) == streams(other)


def streams(transcript: list[Frame]) -> dict[tuple[bool, bool], list[Frame]]:
    """CALLs and answers of either side, each in order: how the four interleave is a matter of time."""
    found: dict[tuple[bool, bool], list[Frame]] = {}
    for frame in transcript:
        found.setdefault((frame[0], frame[1] == "result"), []).append(frame)
    return found
