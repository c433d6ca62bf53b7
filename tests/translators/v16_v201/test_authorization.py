"""Authorize: which token a tag stands for."""

from __future__ import annotations

from translators.facts import Token

from .station import Station


def test_a_tag_that_stands_for_itself_leaves_the_other_tokens_packed() -> None:
    """The register may hold hundreds; unpacking it costs more than all the rest of a message."""
    station = Station()
    station.facts.tokens["emaid1"] = Token(idToken="DE-ABC-C12345678-X", type="eMAID")
    station.translator.stored()
    station.charger("Authorize", idTag="TAG1")
    station.answers("csms", idTokenInfo={"status": "Accepted"})
    assert "tokens" not in station.facts.__dict__
    ((_, _, asked),) = station.charger("Authorize", idTag="EMAID1")
    assert asked == {"idToken": {"idToken": "DE-ABC-C12345678-X", "type": "eMAID"}}
