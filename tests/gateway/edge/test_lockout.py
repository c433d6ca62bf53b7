"""The counting of failures, and where a connection is said to come from: pure."""

from __future__ import annotations

import pytest

from gateway.config_listen import networks
from gateway.edge.lockout import Lockout, prefix
from gateway.edge.source import SIGNATURE, forwarded, proxied, proxy_length, within


def test_a_network_counts_as_one_source() -> None:
    assert prefix("192.0.2.7") == prefix("192.0.2.200") == prefix("::ffff:192.0.2.1") == "192.0.2.0/24"
    assert prefix("2001:db8:0:1200::1") == prefix("2001:db8:0:12ff::9") != prefix("2001:db8:0:1300::1")
    assert prefix("not an address") == "not an address"


def test_ten_failures_lock_a_charger_out_for_five_minutes() -> None:
    lockout = Lockout()
    assert [lockout.failed("cp1", "n", at) for at in range(10)] == [False] * 9 + [True]
    assert lockout.wait("cp1", "n", 10) == 299
    assert lockout.wait("cp1", "other", 10) == lockout.wait("cp2", "n", 10) == 0
    assert lockout.wait("cp1", "n", 310) == 0


def test_failures_are_forgotten_after_five_minutes() -> None:
    lockout = Lockout()
    assert not any(lockout.failed("cp1", "n", at * 40) for at in range(100))


def test_a_hundred_failures_lock_a_network_out_for_the_rest_of_the_minute() -> None:
    lockout = Lockout()
    told = [lockout.failed(f"cp{number}", "n", 1 + number / 10) for number in range(100)]
    assert told == [False] * 99 + [True]
    assert 0 < lockout.wait("anybody", "n", 12) <= 60
    assert lockout.wait("anybody", "m", 12) == 0
    assert lockout.wait("anybody", "n", 62) == 0


def test_what_is_remembered_is_bounded() -> None:
    lockout = Lockout()
    for number in range(50_000):
        lockout.failed(f"cp{number}", f"n{number}", 0)
    assert len(lockout._failures) <= 20_000
    assert len(lockout._networks) <= 20_000


V4 = SIGNATURE + b"\x21\x11\x00\x0c" + bytes([192, 0, 2, 1, 10, 0, 0, 1]) + b"\x12\x34\x23\x28"
V6 = SIGNATURE + b"\x21\x21\x00\x24" + bytes(15) + b"\x07" + bytes(16) + b"\x12\x34\x23\x28"
LOCAL = SIGNATURE + b"\x20\x00\x00\x00"


def test_proxy_headers() -> None:
    assert proxy_length(V4[:16]) == len(V4)
    assert (proxied(V4), proxied(V6), proxied(LOCAL)) == ("192.0.2.1", "::7", "")
    more = SIGNATURE + b"\x21\x11\x00\x10" + V4[16:] + b"\x04\x00\x01\x00"  # with an extension
    assert (proxy_length(more), proxied(more)) == (len(more), "192.0.2.1")


@pytest.mark.parametrize(
    "head",
    [
        b"PROXY TCP4 1.2.3.4",
        b"GET / HTTP/1.1\r\n\r\n",
        SIGNATURE + b"\x31\x11\x00\x0c",
        SIGNATURE + b"\x21\x11\xff\xff",
        b"",
    ],
)
def test_what_is_no_proxy_header(head: bytes) -> None:
    with pytest.raises(ValueError):
        proxy_length(head[:16])


@pytest.mark.parametrize(
    "header",
    [
        SIGNATURE + b"\x21\x11\x00\x04" + bytes(4),
        SIGNATURE + b"\x21\x31\x00\x0c" + bytes(12),
        SIGNATURE + b"\x22\x11\x00\x0c" + bytes(12),
    ],
)
def test_what_names_no_address(header: bytes) -> None:
    with pytest.raises(ValueError):
        proxied(header)


def test_networks() -> None:
    private = networks(("private",))
    assert within("192.168.3.4", private) and within("::1", private) and within("::ffff:10.1.1.1", private)
    assert not within("8.8.8.8", private) and not within("", private) and not within("cp1", private)
    assert within("8.8.8.8", networks(("any",))) and within("2001:db8::1", networks(("any",)))
    with pytest.raises(ValueError):
        networks(("10.0.0.0/40",))


def test_the_last_address_that_no_proxy_wrote_counts() -> None:
    trusted = networks(("10.0.0.0/8",))
    assert forwarded(["1.1.1.1, 192.0.2.9, 10.0.0.2"], trusted) == "192.0.2.9"
    assert forwarded(["1.1.1.1", "192.0.2.9:4433"], trusted) == "192.0.2.9"
    assert forwarded(["[2001:db8::1]"], trusted) == "2001:db8::1"
    assert forwarded(["10.0.0.3, [2001:db8::1]:4433"], trusted) == "2001:db8::1"
    assert forwarded(["192.0.2.9, junk"], trusted) == forwarded([], trusted) == forwarded(["10.0.0.3"], trusted) == ""
