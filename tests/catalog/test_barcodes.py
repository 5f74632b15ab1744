import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shop_hub.catalog import barcodes, instore
from shop_hub.catalog.barcodes import Reading, read
from shop_hub.catalog.errors import (
    BadTemplateError,
    NotGoodsError,
    UnreadableBarcodeError,
    WrongCheckDigitError,
)
from shop_hub.core.errors import ShopError

MILK = Reading("04006381333931", is_gtin=True)


@pytest.mark.parametrize(
    "scan",
    ["4006381333931", "04006381333931", " 4006381333931\r\n", "]E04006381333931", "]e00104006381333931"],
)
def test_one_product_however_it_is_scanned(scan: str) -> None:
    assert read(scan) == MILK


@pytest.mark.parametrize(
    ("scan", "code"),
    [
        ("036000291452", "00036000291452"),
        ("0036000291452", "00036000291452"),
        ("40084015", "00000040084015"),
        ("21000010", "00000021000010"),
    ],
)
def test_upc_and_ean8_become_gtin14(scan: str, code: str) -> None:
    assert read(scan) == Reading(code, is_gtin=True)


@pytest.mark.parametrize("scan", ["4006381333930", "036000291453", "40084016", "14006381333931"])
def test_wrong_check_digit_is_a_refusal_of_its_own(scan: str) -> None:
    with pytest.raises(WrongCheckDigitError):
        read(scan)


def test_german_ean_is_never_read_as_application_identifier_400() -> None:
    with pytest.raises(WrongCheckDigitError):
        read("4006381333930")


@pytest.mark.parametrize(("scan", "code"), [("4011", "4011"), ("7", "7"), ("ei-10", "EI-10")])
def test_short_numbers_and_words_stay_as_they_are(scan: str, code: str) -> None:
    assert read(scan) == Reading(code)


@pytest.mark.parametrize(
    ("scan", "expected"),
    [
        (
            "]d2010400638133393117251231" + "10LOT42",
            Reading("04006381333931", is_gtin=True, lot="LOT42", use_by=date(2025, 12, 31)),
        ),
        (
            "010400638133393115270200",
            Reading("04006381333931", is_gtin=True, best_before=date(2027, 2, 28)),
        ),
        (
            "]C10104006381333931" + "3103000750" + "3922199",
            Reading("04006381333931", is_gtin=True, weight_milli=750, price_cents=199),
        ),
        ("02040063813339313712", Reading("04006381333931", is_gtin=True, pieces=12)),
        (
            "010400638133393110A1\x1d3006",
            Reading("04006381333931", is_gtin=True, lot="A1", pieces=6),
        ),
        (
            "01040063813339313932978001230",
            Reading("04006381333931", is_gtin=True, price_cents=1230),
        ),
    ],
)
def test_gs1_element_strings(scan: str, expected: Reading) -> None:
    assert read(scan) == expected


@pytest.mark.parametrize(
    "scan",
    [
        "",
        "   ",
        "0" * 10_000,
        "x" * 10_000,
        "\x00\x01",
        "Ä1234",
        "٤٠٠٦٣٨١٣٣٣٩٣١",
        "]C1",
        "01040063813339311725133110LOT42",  # month 13
        "0104006381333931172512",  # cut off
        "0104006381333931" + "3932840001230",  # dollars
        "0104006381333931" + "3000",  # no pieces
        "00340123450000000017",  # a parcel's SSCC is no article
        "'; DROP TABLE product; --",
    ],
)
def test_garbage_is_unreadable(scan: str) -> None:
    with pytest.raises(UnreadableBarcodeError):
        read(scan)


@pytest.mark.parametrize("scan", ["D1M" + "A" * 26, "HTTPS://LADEN.EXAMPLE/P#D1P" + "B" * 26, "d1c" + "c" * 26])
def test_cards_and_pick_up_codes_are_no_goods(scan: str) -> None:
    with pytest.raises(NotGoodsError):
        read(scan)


@given(st.text(max_size=300))
def test_no_input_breaks_the_reader(scan: str) -> None:
    try:
        reading = read(scan)
    except ShopError:
        return
    assert re.fullmatch(r"\d{14}" if reading.is_gtin else r"[0-9A-Z][0-9A-Z ._/+-]{0,39}", reading.code)


@given(st.from_regex(r"[0-9]{12}", fullmatch=True), st.integers(0, 11), st.integers(1, 9))
def test_one_misread_digit_is_always_noticed(twelve: str, place: int, shift: int) -> None:
    right = f"{twelve}{barcodes.check_digit(twelve)}"
    wrong = right[:place] + str((int(right[place]) + shift) % 10) + right[place + 1 :]
    assert read(right) == Reading("0" + right, is_gtin=True)
    with pytest.raises(WrongCheckDigitError):
        read(wrong)


@pytest.mark.parametrize(
    ("code", "printed"),
    [
        ("00000040084015", "40084015"),
        ("04006381333931", "4006381333931"),
        ("14006381333938", "14006381333938"),
        ("4011", "4011"),
    ],
)
def test_codes_are_shown_as_printed(code: str, printed: str) -> None:
    assert barcodes.short_form(code) == printed


@pytest.mark.parametrize(("digits", "inner"), [("14685", 6), ("00154", 0), ("00006", 2), ("00500", 6)])
def test_inner_check_digit_of_scale_labels(digits: str, inner: int) -> None:
    assert instore.inner_check_digit(digits) == inner


@pytest.mark.parametrize(
    ("pattern", "ean", "expected"),
    [
        ("2{code:5}{_:1}{embed:5}{ec}", "2123455005005", instore.Match("t", "12345", 500, is_inner_right=True)),
        ("2{code:5}{i}{embed:5}{ec}", "2123456005004", instore.Match("t", "12345", 500, is_inner_right=True)),
        ("2{code:5}{i}{embed:5}{ec}", "2123455005005", instore.Match("t", "12345", 500, is_inner_right=False)),
        ("4{code:2}{_:5}{embed:4}{ec}", "4191234501202", instore.Match("t", "19", 120, is_inner_right=True)),
        ("2{code:5}{_:1}{embed:5}{ec}", "4006381333931", None),
    ],
)
def test_templates(pattern: str, ean: str, expected: instore.Match | None) -> None:
    assert instore.match("t", pattern, ean) == expected


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "2{code:5}",
        "2{code:5}{i}{embed:4}{_:1}{ec}",
        "2{code:5}{code:5}{i}{ec}",
        "2{price:5}{_:1}{embed:5}{ec}",
        "2{code:5}{_:2}{embed:5}",
        "(2{code:5}{i}{embed:5}{ec}",
    ],
)
def test_bad_templates_are_refused(pattern: str) -> None:
    with pytest.raises(BadTemplateError) as refusal:
        instore.compile_pattern(pattern)
    assert refusal.value.params == {"pattern": pattern}
