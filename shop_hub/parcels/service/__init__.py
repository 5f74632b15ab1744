"""What may be done with parcels. Callers say `parcels.deposit(...)`; each group of verbs has its own module."""

from shop_hub.parcels.service.announcements import NewParcel, active, announce, assign, cancel, extend, hold
from shop_hub.parcels.service.deposits import (
    LabelFound,
    Reason,
    confirm_deposit,
    deposit,
    in_hand,
    look_up,
    other_compartment,
    retry_open,
    say_inside,
    undo_deposit,
)
from shop_hub.parcels.service.handbacks import confirm_taken_out, take_out, taking_out
from shop_hub.parcels.service.pickups import (
    Problem,
    collect,
    confirm_collected,
    not_taken,
    refuse,
    reopen,
    report_problem,
)
from shop_hub.parcels.service.staff import Outcome, open_door, resolve

__all__ = [
    "LabelFound",
    "NewParcel",
    "Outcome",
    "Problem",
    "Reason",
    "active",
    "announce",
    "assign",
    "cancel",
    "collect",
    "confirm_collected",
    "confirm_deposit",
    "confirm_taken_out",
    "deposit",
    "extend",
    "hold",
    "in_hand",
    "look_up",
    "not_taken",
    "open_door",
    "other_compartment",
    "refuse",
    "reopen",
    "report_problem",
    "resolve",
    "retry_open",
    "say_inside",
    "take_out",
    "taking_out",
    "undo_deposit",
]
