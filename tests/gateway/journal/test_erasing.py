"""A person's token in the store: erased where nobody waits for it, counted elsewhere."""

from __future__ import annotations

import msgspec
import pytest

from gateway.journal import Commit, Dead
from gateway.journal.entry import Entry
from gateway.journal.erasing import Erased, mentions

from .conftest import HEAD, Partition

TOKEN = "DEADBEEF42"


def start(token: str, number: int = 1) -> bytes:
    return msgspec.json.encode(
        [2, str(number), "StartTransaction", {"connectorId": 1, "idTag": token, "meterStart": 0}]
    )


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        (start(TOKEN), True),
        (start(TOKEN.lower()), True),
        (start(TOKEN + "1"), False),
        (start("OTHER"), False),
        (b'[2,"1","Authorize",{"idTag":"\\u0044EADBEEF42"}]', True),
        (b'[2,"1","TransactionEvent",{"idToken":{"idToken":"deadbeef42","type":"ISO14443"}}]', True),
        (b'[2,"1","SendLocalList",{"list":[{"a":1},{"idTag":"DEADBEEF42"}]}]', True),
        (b'[2,"1","StartTransaction",{"idTag":"DEADBEEF42"', True),
        (b'[2,"1","StartTransaction",{"idTag":"OTHER"', False),
        (b"", False),
    ],
)
def test_what_mentions_a_token(frame: bytes, found: bool) -> None:
    assert mentions(frame, TOKEN) is found


async def test_a_token_is_erased(partition: Partition) -> None:
    journal, number = partition.journal, partition.number
    others = [Dead("a", Entry(f"{n}-0", "call", HEAD, start(f"OTHER{n}", n)), "refused") for n in (1, 2)]
    its = [Dead(upstream, Entry("3-0", "call", HEAD, start(TOKEN, 3)), "refused") for upstream in ("a", "b", "gone")]
    facts: dict[tuple[str, str], bytes | None] = {("CP-1", "shared"): b'{"idTag":"deadbeef42"}'}
    await journal.commit(number, partition.token, Commit(dead=[*others, *its], facts=facts))
    await journal.quarantine("CP-1", "ocpp1.6", "R01", start(TOKEN)[:-3])
    await journal.quarantine("CP-1", "ocpp1.6", "R01", start("OTHER")[:-3])
    await journal.append("call", partition.head, start(TOKEN, 4))

    expected = Erased(dead_letters=3, quarantined=1, undelivered=1, chargers=["cp-1"])
    assert await journal.erase(TOKEN, dry=True) == expected
    assert await journal.erase(TOKEN.lower()) == expected
    assert await journal.erase(TOKEN) == Erased(undelivered=1, chargers=["cp-1"])
    assert [each.entry.id for each in await journal.letters("a")] == ["1-0", "2-0"]
    assert len(await journal.quarantined()) == 1
