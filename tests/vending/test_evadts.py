"""EVA-DTS files: real ones as they are, and whatever else comes along."""

from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from devices.simulators import evadts as writer
from shop_hub.core.errors import ShopError
from shop_hub.vending import evadts
from shop_hub.vending.errors import (
    AuditCutOffError,
    AuditDamagedError,
    AuditTooLargeError,
    AuditWithoutCountsError,
    NotAnAuditError,
)
from shop_hub.vending.evadts import Doubt, Selection

REAL = Path(__file__).parent / "data"
SMALL = (
    b"DXS*ABC1234567*VA*V0/6*1\r\nST*001*0001\r\nID1*SN0001*M30*0100\r\nID4*2*1978*EUR\r\nVA1*450*3*450*3\r\n"
    b"PA1*01*150*M\xfcsli\r\nPA2*3*450*3*450\r\nPA7*01*CA*1*150*1*150*1*150\r\nG85*%b\r\nSE*9*0001\r\nDXE*1*1\r\n"
)


def small(checksum=b"C021"):
    return SMALL.replace(b"%b", checksum)


def real(name):
    return (REAL / f"{name}.eva_dts").read_bytes()


def test_a_real_file_whose_slots_do_not_make_its_total_is_read():
    found = evadts.read(real("animo"))
    assert (found.serial, found.model, found.currency, found.clock) == (
        "ANIKraftver",
        "3M3Aba",
        "EUR",
        datetime(2010, 1, 19, 23, 1, 11),  # noqa: DTZ001 - the machine's local time
    )
    assert (found.total_vends, found.total_cents, found.has_checksum) == (8161, 816_100, True)
    assert found.doubts == [
        Doubt("sum-vends", {"total": 8161, "sum": 1537}),
        Doubt("sum-cents", {"total": 816_100, "sum": 153_700}),
    ]
    assert len(found.selections) == 24
    assert found.selections["6"] == Selection(
        "6", title="CHOCOLATE MILK", price_cents=100, vends=43, cents=4300, tests=0, free=112
    )


def test_a_real_file_with_a_wrong_number_of_lines_is_read():
    found = evadts.read(real("rhevendors"))
    assert found.doubts[0] == Doubt("segments", {"said": 349, "counted": 369})
    assert [doubt.code for doubt in found.doubts] == ["segments", "sum-vends"]
    assert (found.cash_cents, found.cash_vends) == (312_330, 5443)
    assert f"{found.clock:%Y-%m-%d %H:%M}" == "2023-11-27 10:11"
    assert found.selections["3"] == Selection(
        "3",
        title="CAPPUCCINO BOHNE",
        price_cents=70,
        vends=359,
        cents=24_990,
        cash_vends=244,
        cash_cents=16_940,
        tests=0,
        free=0,
    )


def test_a_small_file_is_read_whatever_its_line_ends():
    expected = evadts.read(small())
    assert expected.selections == {
        "1": Selection("1", "Müsli", price_cents=150, vends=3, cents=450, cash_vends=1, cash_cents=150)
    }
    assert expected.doubts == []
    for end in (b"\n", b"\r", b"\n\n"):
        assert evadts.read(small().replace(b"\r\n", end)) == expected


@pytest.mark.parametrize(
    ("old", "new", "refusal"),
    [
        (b"PA2*3", b"PA2*4", AuditDamagedError),
        (b"G85*", b"G85*0", AuditDamagedError),
        (b"\xfc", b"u", AuditDamagedError),
        (b"SE*9*0001\r\nDXE*1*1\r\n", b"", AuditCutOffError),
        (b"ST*001", b"XX*001", NotAnAuditError),
    ],
)
def test_what_must_not_be_believed_is_refused(old, new, refusal):
    content = small()
    assert old in content
    with pytest.raises(refusal):
        evadts.read(content.replace(old, new))


@pytest.mark.parametrize("content", [b"", b"\x00" * 500, b"%PDF-1.7", b"ST*001\r\nSE*2", b"*" * 1000, b"ST\nDXS\n"])
def test_what_is_no_audit_file_is_refused(content):
    with pytest.raises((NotAnAuditError, AuditCutOffError)):
        evadts.read(content)


def test_sizes_are_bounded():
    with pytest.raises(AuditTooLargeError) as refused:
        evadts.read(b"x" * (evadts.LARGEST_BYTES + 1))
    assert refused.value.params == {"most": 200}
    with pytest.raises(AuditTooLargeError):
        evadts.read(b"ST*1\nDXS\n" + b"X\n" * evadts.MOST_SEGMENTS)
    many = b"".join(b"PA1*%d*1\nPA2*1*1\n" % number for number in range(evadts.MOST_SELECTIONS + 1))
    with pytest.raises(AuditTooLargeError):
        evadts.read(b"ST*1\n" + many + b"SE*1\n")


def test_a_file_without_counters_is_refused():
    with pytest.raises(AuditWithoutCountsError):
        evadts.read(b"DXS*A\nST*1\nID1*S\nSE*3\nDXE*1\n")


@pytest.mark.parametrize(("decimals", "cents"), [(b"0", 45_000), (b"1", 4_500), (b"2", 450), (b"3", 45), (b"", 450)])
def test_amounts_are_scaled_by_the_machine_s_decimals(decimals, cents):
    content = b"ST*1\nPA1*1*150\nID4*%b*978\nPA2*3*450\nSE*5\n" % decimals
    assert evadts.read(content).selections["1"].cents == cents


@pytest.mark.parametrize("text", [b"-3", b"3.5", b"", b"x", b"1234567890123", b"\xb2", b"+3"])
def test_what_is_no_count_is_not_counted(text):
    found = evadts.read(b"ST*1\nVA1*450*3\nPA1*1*150\nPA2*%b*450\nSE*5\n" % text)
    assert (found.selections["1"].vends, found.doubts) == (None, [Doubt("no-checksum", {})])


def test_a_selection_that_stands_there_twice_is_said():
    found = evadts.read(b"ST*1\nPA1*1*150\nPA2*3*450\nPA1*01*150\nPA2*4*600\nSE*6\n")
    assert [doubt.code for doubt in found.doubts] == ["selection-twice", "no-checksum"][::-1]
    assert found.selections["1"].vends == 4


def test_the_simulated_machine_writes_what_is_read():
    counters = [("1", writer.Counter(150, cash=2, cashless=3, free=1)), ("A2", writer.Counter(80))]
    found = evadts.read(writer.write(counters, serial="SIM1", moment="20261122*2015"))
    assert found.doubts == []
    assert (found.total_vends, found.total_cents, found.cash_vends, found.cash_cents) == (5, 750, 2, 300)
    assert found.selections["1"].cash_cents == 300
    assert found.selections["A2"].vends == 0


@given(st.data())
@settings(max_examples=250, deadline=None)
def test_any_change_of_a_file_is_read_or_refused_and_never_crashes(data):
    content = bytearray(small(data.draw(st.sampled_from([b"C021", b"0000"]))))
    for _ in range(data.draw(st.integers(1, 12))):
        place = data.draw(st.integers(0, len(content) - 1))
        match data.draw(st.sampled_from(["set", "cut", "copy"])):
            case "set":
                content[place] = data.draw(st.integers(0, 255))
            case "cut":
                del content[place : place + data.draw(st.integers(1, 40))]
            case "copy":
                content[place:place] = content[place : place + 60]
        content = content or bytearray(b"ST*")
    try:
        found = evadts.read(bytes(content))
    except ShopError:
        return
    for row in found.selections.values():
        assert row.name.isprintable()
        assert all(value is None or value >= 0 for value in (row.vends, row.cents, row.cash_vends, row.price_cents))


@given(st.binary(max_size=2000))
@settings(max_examples=100, deadline=None)
def test_any_bytes_are_refused_or_read(content):
    try:
        evadts.read(b"ST*1\nPA1*1*1\n" + content)
    except ShopError:
        return
