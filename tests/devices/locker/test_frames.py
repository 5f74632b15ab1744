"""The frames of the design file, byte for byte, from the drivers and to the simulated boards."""

import pytest

from devices.locker.dialect import Question
from devices.locker.kerong import Cu16, Cu48
from devices.locker.modbus import Cu48Modbus, WaveshareRelay, crc
from devices.simulators.lockwire import SPEECHES, Board, Line

# What the makers' papers show. Both sides are held against these bytes, never against each other.
ASKED = [
    (Cu16(), 0, "02 00 30 03 35"),
    (Cu48(), 0, "02 00 00 60 03 65"),
    (Cu48Modbus(), 1, "01 01 00 00 00 30 3c 1e"),
    (WaveshareRelay(), 1, "01 02 00 00 00 08 79 cc"),
]
FIRED = [
    (Cu16(), 0, 1, "02 00 31 03 36"),
    (Cu16(), 1, 5, "02 14 31 03 4a"),
    (Cu48(), 0, 1, "02 00 00 61 03 66"),
    (Cu48Modbus(), 1, 1, "01 05 00 00 00 00 cd ca"),
    (WaveshareRelay(), 1, 1, "01 05 02 00 00 05 0c 71"),
]
ANSWERS = [  # make, address, what is asked, what eight doors answer when the third is open and the second is full
    ("kerong-cu16", 0, "02 00 30 03 35", "02 00 35 fb 00 02 00 03 37"),
    ("cu48", 0, "02 00 00 60 03 65", "02 00 00 75 06 fb 00 00 00 00 00 78"),
    ("cu48-modbus", 1, "01 01 00 00 00 30 3c 1e", "01 01 06 fb 00 00 00 00 00 b5 27"),
    ("waveshare", 1, "01 02 00 00 00 08 79 cc", "01 02 01 fb e0 0b"),
]
FIRINGS = [  # make, address, frame, channel, answer
    ("kerong-cu16", 0, "02 00 31 03 36", 1, ""),
    ("kerong-cu16", 1, "02 14 31 03 4a", 5, ""),
    ("cu48", 0, "02 00 00 61 03 66", 1, "02 00 00 75 03 7a"),
    ("cu48-modbus", 1, "01 05 00 00 00 00 cd ca", 1, "01 05 00 00 00 00 cd ca"),
    ("waveshare", 1, "01 05 02 00 00 05 0c 71", 1, "01 05 02 00 00 05 0c 71"),
]
DIALECTS = {"kerong-cu16": Cu16(), "cu48": Cu48(), "cu48-modbus": Cu48Modbus(), "waveshare": WaveshareRelay()}


def octets(text):
    return bytes.fromhex(text)


class Doors:
    """Eight doors; the third is open, the second is full."""

    def __init__(self):
        self.fired = []

    def fire(self, board, channel):
        self.fired.append((board, channel))
        return ""

    def closed(self, _):
        return [place != 2 for place in range(8)]

    def filled(self, _):
        return [place == 1 for place in range(8)]


def line(make, address, doors=None):
    board = Board("board-1", address, 8, doors or Doors())
    return Line([board], SPEECHES[make](), lambda _, work: work())


def heard(made, data):
    said = []
    made.hear(data, said.append)
    return b"".join(said)


@pytest.mark.parametrize(("dialect", "address", "frame"), ASKED)
def test_a_driver_asks_with_the_makers_bytes(dialect, address, frame):
    assert dialect.ask(address).payload == octets(frame)


@pytest.mark.parametrize(("dialect", "address", "channel", "frame"), FIRED)
def test_a_driver_fires_with_the_makers_bytes(dialect, address, channel, frame):
    assert dialect.fire(address, channel, 500).payload == octets(frame)


@pytest.mark.parametrize(("make", "address", "asked", "answer"), ANSWERS)
def test_a_simulated_board_answers_with_the_makers_bytes(make, address, asked, answer):
    assert heard(line(make, address), octets(asked)) == octets(answer)


@pytest.mark.parametrize(("make", "address", "frame", "channel", "answer"), FIRINGS)
def test_a_simulated_board_fires_on_the_makers_bytes(make, address, frame, channel, answer):
    doors = Doors()
    assert heard(line(make, address, doors), octets(frame)) == octets(answer)
    assert doors.fired == [("board-1", channel)]


REPLIES = [(make, address, answer) for make, address, _, answer in ANSWERS]


@pytest.mark.parametrize(("make", "address", "answer"), REPLIES)
def test_a_driver_reads_the_makers_answer(make, address, answer):
    dialect = DIALECTS[make]
    question = dialect.ask(address)
    assert question.answers(octets(answer)) == [octets(answer)]
    readings = dialect.readings(octets(answer))[:8]
    assert [reading.door_open for reading in readings] == [place == 2 for place in range(8)]
    presence = [place == 1 for place in range(8)] if dialect.has_presence else [None] * 8
    assert [reading.occupied for reading in readings] == presence


@pytest.mark.parametrize(("make", "address", "answer"), REPLIES)
def test_an_answer_counts_only_whole_and_for_its_own_board(make, address, answer):
    dialect, whole = DIALECTS[make], octets(answer)
    question, other = dialect.ask(address), dialect.ask(address + 1)
    assert other.answers(whole) == []
    for end in range(len(whole)):
        assert question.answers(whole[:end]) == []
    for place in range(len(whole)):
        for bit in range(8):
            broken = bytearray(whole)
            broken[place] ^= 1 << bit
            assert question.answers(bytes(broken)) == []


@pytest.mark.parametrize(("make", "address", "answer"), REPLIES)
def test_an_answer_is_found_behind_garbage_and_its_own_beginning(make, address, answer):
    whole = octets(answer)
    question = DIALECTS[make].ask(address)
    assert question.answers(b"\xfb\xf2\x02" + whole[:3] + whole + b"\x00") == [whole]
    assert question.answers(whole + whole) == [whole, whole]


def test_the_relay_board_is_switched_off_with_the_makers_bytes():
    (reset,) = WaveshareRelay().prepare(1)
    assert reset.payload == octets("01 05 00 ff 00 00 fd fa")
    made = line("waveshare", 1)
    assert heard(made, reset.payload) == reset.payload
    assert made._speech.resets == 1


def test_a_simulated_relay_that_is_switched_on_for_good_is_counted():
    made = line("waveshare", 1)
    frame = octets("01 05 00 03 ff 00")
    assert heard(made, frame + crc(frame))
    assert made._speech.burnt == [3]


@pytest.mark.parametrize("dialect", DIALECTS.values())
def test_no_frame_is_made_for_a_board_or_a_lock_that_cannot_be(dialect):
    low, high = dialect.addresses[0] - 1, dialect.addresses[-1] + 1
    for address in (low, high):
        with pytest.raises(ValueError, match="not in range"):
            dialect.ask(address)
        with pytest.raises(ValueError, match="not in range"):
            dialect.fire(address, 1, 500)
    for channel in (0, dialect.channels + 1, -1):
        with pytest.raises(ValueError, match="not in range"):
            dialect.fire(dialect.addresses[0], channel, 500)


def test_forbidden_words_of_the_cu16_are_never_said():
    """0x33 opens all doors, 0x39 opens later, 0x37 and 0x40 change the board."""
    dialect = Cu16()
    frames = [dialect.ask(a).payload for a in dialect.addresses]
    frames += [dialect.fire(a, c, 500).payload for a in dialect.addresses for c in range(1, 17)]
    assert {frame[2] for frame in frames} == {0x30, 0x31}


def test_a_pulse_the_relay_board_cannot_time_is_refused():
    for pulse_ms in (0, 99, 5_100):
        with pytest.raises(ValueError, match="not in range"):
            WaveshareRelay().fire(1, 1, pulse_ms)


def test_a_question_without_answer_has_none():
    assert Question(b"x").answers(b"x" * 20) == []


@pytest.mark.parametrize(("make", "address", "asked", "answer"), ANSWERS)
def test_a_simulated_board_finds_a_frame_in_garbage_and_in_pieces(make, address, asked, answer):
    made = line(make, address)
    assert heard(made, b"\xff\x07" + octets(asked)) == octets(answer)
    said = b"".join(heard(made, bytes([octet])) for octet in octets(asked))
    assert said == octets(answer)


@pytest.mark.parametrize(("make", "address", "asked"), [row[:3] for row in ANSWERS])
def test_a_simulated_board_hears_only_its_own_address(make, address, asked):
    assert heard(line(make, address + 1), octets(asked)) == b""
