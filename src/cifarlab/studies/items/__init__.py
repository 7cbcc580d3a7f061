"""The items of the five reports by name: every table, figure and open question that runs can answer."""

from cifarlab.errors import UserError, nearest
from cifarlab.recipes.reports import REPORTS
from cifarlab.studies.items import (
    cbam_aspp,
    cnn_to_shake_shake,
    slim_attention,
    small_resnets,
    tiny_attention,
)
from cifarlab.studies.items.item import Item

ITEMS: dict[str, dict[str, Item]] = {
    module.REPORT: {item.name: item for item in module.ITEMS}
    for module in (tiny_attention, slim_attention, small_resnets, cnn_to_shake_shake, cbam_aspp)
}


def items_of(report: str) -> dict[str, Item]:
    """The items of ``report`` by name.

    Raises:
        UserError: there is no such report; the nearest right name is said.
    """
    if report not in ITEMS:
        raise UserError(f"no report is called {report!r}; {nearest(report, [each.name for each in REPORTS])}")
    return ITEMS[report]


def item_named(report: str, name: str) -> Item:
    """One item.

    Raises:
        UserError: there is none; the nearest right name is said.
    """
    items = items_of(report)
    if name not in items:
        raise UserError(f"{report} has no item {name!r}; {nearest(name, items)}")
    return items[name]
