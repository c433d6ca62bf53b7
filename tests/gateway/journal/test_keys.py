import pytest

from gateway.journal import keys


def test_a_partition_does_not_depend_on_the_case_of_the_identity() -> None:
    assert keys.partition("Straße-CP1", 64) == keys.partition("STRASSE-cp1", 64)


def test_partitions_are_stable() -> None:
    assert keys.partition("123456789", 1 << 16) == 0x31C3, "CRC-16/XMODEM, the one of Redis Cluster"


def test_partitions_are_spread() -> None:
    hit = {keys.partition(f"DE*ABC*E{n:05}", 64) for n in range(2000)}
    assert hit == set(range(64))


def test_keys_of_a_partition_share_their_tag() -> None:
    made = [
        *(keys.stream(3), keys.epochs(3), keys.homes(3), keys.lease(3), keys.token(3)),
        *(keys.dedup(3, "C"), keys.tx(3, "C"), keys.facts(3, "C")),
    ]
    assert len(set(made)) == len(made)
    assert all(key.startswith("{p03}:") for key in made)


def test_an_edge_and_its_inbox_share_their_tag() -> None:
    assert keys.edge("x").endswith("{x}") and keys.inbox("x").endswith("{x}")


def test_keys_use_the_casefolded_identity() -> None:
    assert keys.facts(1, "ABC") == keys.facts(1, "abc")
    assert keys.dedup(1, "ABC") == keys.dedup(1, "abc")


@pytest.mark.parametrize("identity", ["a}{b", "{p01}", "}", "a:b:c", "link:main", "*"])
def test_no_identity_moves_a_key(identity: str) -> None:
    """Its place in a Cluster is that of its partition, and it is nobody else's key."""
    number = keys.partition(identity, 64)
    made = [
        keys.facts(number, identity),
        keys.tx(number, identity),
        keys.parked(number, "main", identity),
    ]
    assert {keys.slot(each) for each in made} == {keys.slot(keys.tag(number))}
    others = {keys.stream(number), keys.lease(number), keys.homes(number), keys.facts(number, "other")}
    assert len({*made, *others}) == len(made) + len(others)
