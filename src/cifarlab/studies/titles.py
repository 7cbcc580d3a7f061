"""What runs are called in messages: by what tells them apart."""

from collections.abc import Sequence
from typing import Any

from cifarlab.config import differences, to_json
from cifarlab.studies.plan import PlannedRun


def titles_of(planned: Sequence[PlannedRun]) -> dict[PlannedRun, str]:
    """A title for each run, no two alike; where the plan's are, what differs in the recipes is added."""
    groups: dict[str, list[PlannedRun]] = {}
    for each in dict.fromkeys(planned):
        groups.setdefault(each.title, []).append(each)
    titles = {}
    for title, runs in groups.items():
        documents = [to_json(each.recipe) for each in runs]
        lines = [line for other in documents[1:] for line in differences(documents[0], other)]
        fields = list(dict.fromkeys(line.partition(": ")[0] for line in lines))
        for each, document in zip(runs, documents, strict=True):
            told = ", ".join(f"{field}={_text(_leaf(document, field))}" for field in fields)
            titles[each] = f"{title}, {told}" if told else title
    return _numbered(titles)


def _numbered(titles: dict[PlannedRun, str]) -> dict[PlannedRun, str]:
    """Those that are still alike (on other data, say) get a number."""
    seen: dict[str, int] = {}
    numbered = {}
    for planned, title in titles.items():
        seen[title] = seen.get(title, 0) + 1
        numbered[planned] = title if seen[title] == 1 else f"{title} ({seen[title]})"
    return numbered


def _leaf(document: Any, field: str) -> Any:
    """The value at a dotted path of a JSON document; None where there is nothing."""
    for name in field.split("."):
        if isinstance(document, list):
            document = document[int(name)] if int(name) < len(document) else None
        else:
            document = document.get(name) if isinstance(document, dict) else None
    return document


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return str(value["type"])
    if isinstance(value, list):
        return " ".join(map(_text, value)) or "none"
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
