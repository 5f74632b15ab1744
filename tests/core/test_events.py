from shop_hub.core.events import EventBus


def test_a_screen_that_does_not_keep_up_is_ended_and_connects_anew() -> None:
    bus = EventBus()
    with bus.listen() as slow, bus.listen() as quick:
        for number in range(bus.QUEUE_LENGTH + 1):
            bus.send({"number": number})
            assert quick.get_nowait() == {"number": number}
        events = [slow.get_nowait() for _ in range(slow.qsize())]
        assert events[-1] is None
        bus.send({"number": "later"})
        assert (slow.qsize(), quick.qsize()) == (0, 1)


def test_places_are_counted_and_given_back() -> None:
    bus = EventBus(most_clients=1)
    with bus.listen() as first, bus.listen() as second:
        assert first is not None
        assert second is None
    assert bus.join() is not None
