"""Parcel numbers: every example of parcels.md 3.1, and what must not be taken for a parcel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop_hub.parcels import labels
from shop_hub.parcels.errors import LeitcodeError, MistypedLabelError, NotAParcelLabelError, ProductCodeError
from shop_hub.parcels.labels import Candidate, Format

GOLDEN = [
    ("00340434161094042557", Format.SSCC, "00340434161094042557"),
    ("00340433836442636597", Format.SSCC, "00340433836442636597"),
    ("201298452277", Format.IDENTCODE, "201298452277"),
    ("JJD1410302937991", Format.JJD, "JJD1410302937991"),
    ("3318810025", Format.EXPRESS, "3318810025"),
    ("09133131530724", Format.NUMERIC14, "09133131530724"),
    ("XHAX4HDA", Format.GLS_TRACK, "XHAX4HDA"),
    ("01015026003653C", Format.MOD37, "01015026003653"),
    ("008182709980000020033350276C", Format.MOD37, "09980000020033"),
    ("1Z5R89390357567127", Format.UPS, "1Z5R89390357567127"),
    ("RB123456785DE", Format.S10, "RB123456785DE"),
]


@pytest.mark.parametrize(("scan", "format_", "number"), GOLDEN)
def test_known_numbers_are_read_and_made_canonical(scan: str, format_: Format, number: str) -> None:
    assert labels.choose(scan, format_) == number
    assert number in [candidate.number for candidate in labels.read(scan) if candidate.format is format_]


@pytest.mark.parametrize(
    ("scan", "format_"),
    [(scan, format_) for scan, format_, _ in GOLDEN if format_ not in (Format.GLS_TRACK, Format.JJD)],
)
def test_one_wrong_digit_is_told(scan: str, format_: Format) -> None:
    place = next(i for i, sign in enumerate(scan) if sign.isdigit() and i > 2)
    wrong = scan[:place] + str((int(scan[place]) + 1) % 10) + scan[place + 1 :]
    with pytest.raises(MistypedLabelError):
        labels.choose(wrong, format_)


@pytest.mark.parametrize(
    "scan",
    [
        "]C100340434161094042557",
        "]C100340434161094042557\x1d42116999",
        "(00)340434161094042557",
        "00340434161094042557421276169991234",
        " 0034 0434 1610 9404 2557 ",
    ],
)
def test_the_same_label_always_gets_the_same_number(scan: str) -> None:
    assert labels.choose(scan, "sscc20") == "00340434161094042557"


def test_the_long_and_the_short_barcode_of_one_parcel_are_one_number() -> None:
    assert labels.choose("%008182709980000020033350276C", "mod37-15") == "09980000020033"
    assert labels.choose("09980000020033", "mod37-15") == "09980000020033"


def test_a_hermes_number_could_be_others_too_so_all_are_named() -> None:
    assert labels.read("09133131530724") == [
        Candidate(Format.NUMERIC14, "09133131530724", is_checked=True),
        Candidate(Format.MOD37, "09133131530724", is_checked=False),
    ]


def test_the_routing_code_is_named_as_such() -> None:
    with pytest.raises(LeitcodeError):
        labels.choose("21348075016401", "sscc20,identcode12")


def test_a_number_that_looks_like_a_routing_code_too_is_still_taken() -> None:
    assert labels.choose("09130000000036", "numeric14") == "09130000000036"
    assert labels.choose("09130000000036", "") == "09130000000036"
    with pytest.raises(LeitcodeError):
        labels.choose("09130000000036", "sscc20")


@pytest.mark.parametrize("scan", ["4006381333931", "96385074"])
@pytest.mark.parametrize("label_format", ["sscc20", "numeric14", "mod37-15", ""])
def test_a_product_is_no_parcel(scan: str, label_format: str) -> None:
    with pytest.raises(ProductCodeError):
        labels.choose(scan, label_format)


@pytest.mark.parametrize("scan", ["", "abc", "https://example.org/x", "00340434161094042557" * 600, "💥" * 20])
def test_garbage_is_refused(scan: str) -> None:
    with pytest.raises(NotAParcelLabelError):
        labels.choose(scan, "sscc20")


def test_a_carrier_without_format_takes_any_number() -> None:
    assert labels.choose("ab-12345678", "") == "AB12345678"
    assert labels.choose("01015026003653C", "") == "01015026003653"


@given(st.text(max_size=300), st.sampled_from(["", "sscc20", "mod37-15", "ups,s10", "gls12,gls-track", "express"]))
def test_no_scan_is_unforeseen(scan: str, label_format: str) -> None:
    try:
        number = labels.choose(scan, label_format)
    except NotAParcelLabelError:
        return
    assert 8 <= len(number) <= 35
    assert number in labels.numbers(scan)
