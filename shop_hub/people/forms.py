"""What people type into forms, as values of the services."""

from collections.abc import Mapping

from shop_hub.core.errors import BadInputError
from shop_hub.people.models import Notify
from shop_hub.people.service import NewPerson

LONGEST = 80
LONGEST_MAIL = 200
AGE_LEVELS = ("0", "16", "18")
TEXT_SIZES = ("100", "150", "200")


def new_person(form: Mapping[str, str], home_site_id: int) -> NewPerson:
    """Read the form of a villager.

    Raises:
        BadInputError: a name is missing, or a choice is none of ours.
    """
    first_name, last_name = (_line(form, name) for name in ("first_name", "last_name"))
    if not first_name or not last_name:
        raise BadInputError(field="last_name")
    age_level, text_size = form.get("age_level", "0"), form.get("text_size", "100")
    if age_level not in AGE_LEVELS or text_size not in TEXT_SIZES or form.get("notify") not in set(Notify):
        raise BadInputError(field="age_level")
    return NewPerson(
        home_site_id=home_site_id,
        first_name=first_name,
        last_name=last_name,
        street=_line(form, "street"),
        house_number=_line(form, "house_number"),
        email=_line(form, "email", LONGEST_MAIL),
        language=_line(form, "language") or "de",
        notify=Notify(form["notify"]),
        text_size=int(text_size),
        has_phone="has_phone" in form,
        accessible="accessible" in form,
        objects_to_lockers="objects_to_lockers" in form,
        age_level=int(age_level),
    )


def _line(form: Mapping[str, str], name: str, longest: int = LONGEST) -> str:
    return " ".join(form.get(name, "").split())[:longest]
