"""What the hub sends keeps the published contract, seen from beside on a real broker."""

from devices.protocol import topics
from devices.protocol.channels import CHANNELS, Sender, channel_of
from tests.contract import problems
from tests.fleet.kit import SITE, Scripted, connect, eventually
from tests.fleet.test_commands import is_at


def test_every_message_of_the_hub_keeps_the_contract(idle_village):
    village, seen = idle_village, []
    recorder = connect(village.broker, "forger", "forger-secret")
    recorder.subscribe(f"{SITE}/5/#", seen.append)
    recorder.start()
    assert recorder.wait_connected(10)
    village.start_worker()
    village.device.start()
    eventually(lambda: village.can_order("box-01"))
    village.device.event("box-02", "opened", lose=True)
    eventually(lambda: any(query.since_seq is not None for query in village.device.queries))
    village.device.obey = Scripted.accept
    command = village.order("box-03")
    is_at(village, command, "accepted")
    village.worker.stop()
    village.start_worker()
    eventually(lambda: any(query.id == command.ulid for query in village.device.queries))
    wanted = {channel.name for channel in CHANNELS if channel.sender is Sender.HUB}
    eventually(lambda: wanted <= {channel_of(topics.parse(m.topic)).name for m in list(seen)})
    recorder.stop()

    assert problems(seen, sender=Sender.HUB) == []
