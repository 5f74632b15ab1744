"""The DS18B20 probe: the kernel's file as it stands, garbled, missing, and after a power cut."""

import pytest

from devices.agent.device import NoAnswerError
from devices.thermometer.driver import ProbeReading
from devices.thermometer.driver_onewire import OneWireProbe

GOOD = "72 01 4b 46 7f ff 0e 10 57 : crc=57 YES\n72 01 4b 46 7f ff 0e 10 57 t={}\n"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "28-0123456789ab" / "w1_slave"


@pytest.fixture
def probe(file):
    file.parent.mkdir()
    return OneWireProbe(file)


@pytest.mark.parametrize("milli", [23_125, 0, -18_062, -55_000, 125_000, 84_937])
def test_the_temperature_is_read_in_thousandths(file, probe, milli):
    file.write_text(GOOD.format(milli))
    assert probe.read() == ProbeReading(milli)


@pytest.mark.parametrize(
    "text",
    [
        GOOD.format(85_000),
        GOOD.format(-60_000),
        GOOD.format(9_999_999),
        GOOD.format("warm"),
        GOOD.format(23_125).replace("YES", "NO"),
        GOOD.format(23_125).splitlines()[0],
        "",
        "\0" * 80,
    ],
)
def test_anything_doubtful_is_no_answer(file, probe, text):
    file.write_text(text)
    with pytest.raises(NoAnswerError):
        probe.read()


def test_a_probe_that_is_away_is_no_answer(file, probe):
    with pytest.raises(NoAnswerError):
        probe.read()
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(NoAnswerError):
        probe.read()


def test_another_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no 1-Wire probe"):
        OneWireProbe(tmp_path / "passwd")
