"""Names in narrow cards break between syllables and never between a number and its unit."""

import pytest

from kiosk.typeset import NO_BREAK_SPACE, SOFT_HYPHEN, flowing


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Orangenlimonade 0,5 l", "Oran-gen-li-mo-na-de 0,5_l"),
        ("Dinkelvollkornbrot 750 g", "Din-kel-voll-korn-brot 750_g"),
        ("Dorfgemeinschaftshausbelegungsplan", "Dorf-ge-mein-schafts-haus-be-le-gungs-plan"),
        ("Geschirrspültabs", "Ge-schirr-spül-tabs"),
        ("Energiegetränk", "Ener-gie-ge-tränk"),
        ("Batterien AA 4 Stück", "Batterien AA 4_Stück"),
        ("Brot", "Brot"),
        ("Хлібобулочні вироби", "Хлібобулочні вироби"),
        ("", ""),
    ],
)
def test_names_break_where_a_reader_expects_it(name: str, shown: str):
    assert flowing(name) == shown.replace("-", SOFT_HYPHEN).replace("_", NO_BREAK_SPACE)


def test_what_is_read_stays_the_same():
    name = "Kirschmarmelade & Quittengelee <b> 340 g"
    assert flowing(name).replace(SOFT_HYPHEN, "").replace(NO_BREAK_SPACE, " ") == name
