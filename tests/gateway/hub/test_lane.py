"""One open CALL at a time, fair between sources, bounded, with a deadline (reliability I-07)."""

from gateway.hub.lane import Lane
from translators.frames import Call


def call(id: str) -> Call:
    return Call(id, "Heartbeat")


def test_one_open_call_at_a_time() -> None:
    lane = Lane(4, 1000)
    assert lane.offer(call("a")) and lane.offer(call("b"))
    first = lane.next(0)
    assert first is not None and first.id == "a"
    assert lane.next(0) is None
    assert lane.settle("a")
    second = lane.next(5)
    assert second is not None and second.id == "b"
    assert lane.deadline == 1005


def test_only_the_open_call_can_be_settled() -> None:
    lane = Lane(4, 1000)
    assert not lane.settle("")
    lane.offer(call("a"))
    assert not lane.settle("a"), "it waits, it is not open"
    lane.next(0)
    assert not lane.settle("b")
    assert lane.settle("a")
    assert not lane.settle("a"), "twice"


def test_full_lane_refuses() -> None:
    lane = Lane(2, 1000)
    assert lane.offer(call("a")) and lane.offer(call("b"))
    assert not lane.offer(call("c"))
    lane.next(0)
    assert lane.offer(call("c")), "the open one does not count as waiting"


def test_sources_take_turns() -> None:
    lane = Lane(10, 1000)
    for id in ("a1", "a2", "a3"):
        lane.offer(call(id), "a")
    lane.offer(call("b1"), "b")
    order = []
    while (open_call := lane.next(0)) is not None:
        order.append(open_call.id)
        lane.settle(open_call.id)
    assert order == ["a1", "b1", "a2", "a3"]


def test_the_favoured_source_has_four_in_its_turn() -> None:
    lane = Lane(40, 1000)
    lane.favoured = "p"
    for number in range(9):
        for source in "mpn":
            lane.offer(call(f"{source}{number}"), source)
    order = ""
    while (open_call := lane.next(0)) is not None:
        order += open_call.id
        lane.settle(open_call.id)
    assert order == "m0 p0p1p2p3 n0 m1 p4p5p6p7 n1 m2 p8 n2 m3n3m4n4m5n5m6n6m7n7m8n8".replace(" ", "")


def test_a_turn_that_ends_early_is_a_whole_one() -> None:
    lane = Lane(40, 1000)
    lane.favoured = "p"
    for id in ("p0", "p1", "m0", "m1", "m2"):
        lane.offer(call(id), id[0])
    order = []
    while (open_call := lane.next(0)) is not None:
        order.append(open_call.id)
        if open_call.id == "m0":
            for number in range(2, 8):
                lane.offer(call(f"p{number}"), "p")
        lane.settle(open_call.id)
    assert order == ["p0", "p1", "m0", "m1", "p2", "p3", "p4", "p5", "m2", "p6", "p7"]


def test_the_others_leave_room_for_the_favoured_source() -> None:
    lane = Lane(8, 1000)
    lane.favoured = "p"
    taken = [lane.offer(call(f"{source}{number}"), source) for number in range(4) for source in "mn"]
    assert taken == [True] * 6 + [False] * 2
    assert lane.offer(call("p0"), "p") and lane.offer(call("p1"), "p")
    assert not lane.offer(call("p2"), "p"), "full is full"
    lane.next(0)
    lane.settle("m0")
    assert lane.offer(call("m9"), "m")


def test_the_favoured_source_may_fill_the_lane() -> None:
    lane = Lane(8, 1000)
    lane.favoured = "p"
    assert all(lane.offer(call(f"p{number}"), "p") for number in range(8))
    assert not lane.offer(call("m0"), "m")


def test_expiry_frees_the_lane() -> None:
    lane = Lane(4, 1000)
    lane.offer(call("a"), "s", timeout_ms=50)
    lane.offer(call("b"))
    lane.next(0)
    assert lane.expire(49) is None
    assert lane.expire(50) == ("a", "s")
    assert lane.expire(51) is None
    following = lane.next(60)
    assert following is not None and following.id == "b"


def test_clear_names_what_was_lost() -> None:
    lane = Lane(4, 1000)
    lane.offer(call("a"), "x")
    lane.offer(call("b"), "y")
    lane.next(0)
    assert lane.clear() == [("a", "x"), ("b", "y")]
    assert len(lane) == 0 and lane.next(0) is None and lane.deadline == 0


def test_what_waits_survives_a_socket_and_the_open_one_only_if_it_may_be_written_twice() -> None:
    lane = Lane(10, 1000)
    for id in ("a", "b"):
        lane.offer(call(id), "x")
    lane.next(0)
    assert lane.interrupt(100, lambda _: False) == ("a", "x")
    assert not lane.open_id and lane.waits_until == 1100
    again = lane.next(200)
    assert again is not None and again.id == "b" and lane.deadline == 1100, "its time began when the socket was lost"
    assert lane.interrupt(300, lambda _: True) is None
    again = lane.next(400)
    assert again is not None and again.id == "b" and lane.deadline == 1100
    assert lane.interrupt(500, lambda _: True) == ("b", "x"), "once"


def test_what_is_overdue_is_not_written() -> None:
    lane = Lane(10, 1000)
    for id in ("a", "b"):
        lane.offer(call(id), "x")
    lane.interrupt(0, lambda _: True)
    lane.offer(call("c"), "y")
    assert lane.overdue(999) == []
    assert lane.next(1000) is None
    assert lane.overdue(1000) == [("a", "x"), ("b", "x")] and lane.waits_until == 0
    later = lane.next(1001)
    assert later is not None and later.id == "c" and len(lane) == 0
