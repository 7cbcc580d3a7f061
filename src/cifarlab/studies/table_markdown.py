"""``table.md``: a study as a paper would print it, theirs beside ours, each thing said once."""

from collections.abc import Iterable, Iterator, Sequence

from cifarlab.errors import printable
from cifarlab.studies import printing
from cifarlab.studies.lines import Line, other_lines, own_accuracies, stated_lines
from cifarlab.studies.remarks import cautions, heading, note_numbers, numbered_errata
from cifarlab.studies.table import Comparison, ItemTable

Cells = Sequence[str]


def markdown(table: ItemTable) -> str:
    """What the report states beside ours, our accuracies, the cost; then claims, comparisons and notes."""
    errata = numbered_errata(table)
    blocks = [
        f"# {_safe(heading(table))}",
        _safe(table.question),
        *(f"**{_safe(text)}**" for text in cautions(table)),
        f"Data: {_safe(printing.data_text(table.data))}. "
        f"Seeds: {', '.join(map(str, table.seeds)) or 'none'}. Scale: {table.scale}.",
        *(f"Made on {_safe(machine.hardware)} with {_safe(machine.versions)}." for machine in table.machines),
        *_stated(table, errata),
        *_own(table, errata),
        *_costs(table),
        *_list("Claims", _claim_lines(table, errata)),
        *_list("Comparisons", map(comparison_text, table.comparisons)),
        *_list("Assumptions of ours, where the report is silent", table.assumptions),
        *_list("Errata of the report", errata, numbered=True),
        *_list("Runs that failed", (f"{row.label}: {text}" for row in table.rows for text in row.failures)),
        *([f"Command: `{printable(table.command).replace('`', '')}`"] if table.command else []),
    ]
    return "\n\n".join(blocks) + "\n"


def comparison_text(comparison: Comparison) -> str:
    """Two rows, their difference, and what the two paired tests say of it, in one sentence."""
    c = comparison
    interval = f", 95% interval {printing.interval_text('difference', c.interval)}" if c.interval else ""
    seeds = "" if c.p_seeds is None else f"; over seeds p = {c.p_seeds:.2g}{_holm(c.p_seeds_holm)}"
    return (
        f"{c.first} against {c.second}: {printing.value_text('difference', c.difference)}{interval}{seeds}; "
        f"over test images p = {c.p_images:.2g}{_holm(c.p_images_holm)}"
    )


def _holm(p: float | None) -> str:
    return "" if p is None else f" (Holm {p:.2g})"


def _stated(table: ItemTable, errata: Sequence[str]) -> Iterator[str]:
    lines = [line for row in table.rows for line in stated_lines(row, table, errata)]
    if not lines:
        return
    yield "## Theirs beside ours"
    yield "\n".join(_table(["variant", *_HEADS], "ll" + "r" * 4 + "l", map(_line_cells, lines)))
    reasons = [f"- {_safe(text)}" for text in _reasons(lines)]
    if reasons:
        yield "\n".join(reasons)


def _reasons(lines: Sequence[Line]) -> Iterator[str]:
    """Why each verdict was given; a reason that several share is said once."""
    judged: dict[str, list[Line]] = {}
    for line in lines:
        if line.verdict and line.reason:
            judged.setdefault(f"{line.verdict}: {line.reason}", []).append(line)
    for text, sharing in judged.items():
        yield text if len(sharing) > 1 else f"{sharing[0].label}, {sharing[0].quantity}: {text}"


_HEADS = ("quantity", "report", "ours: mean ± sd (n)", "95% interval", "one more run", "verdict")


def _line_cells(line: Line) -> Cells:
    return (
        _safe(line.label),
        line.quantity,
        _safe(_theirs(line.theirs, line.origin, line.notes)),
        f"{line.ours} ({line.runs})" if line.runs else line.ours,
        line.interval,
        line.prediction,
        line.verdict or printing.MISSING,
    )


def _theirs(text: str, origin: str, notes: Sequence[int]) -> str:
    """``94.43 % (note 1)``; a number that the report does not state says where it is from."""
    if notes:
        origin = ", ".join(
            filter(None, (origin, f"note{'s' * (len(notes) > 1)} {', '.join(map(str, notes))}"))
        )
    return f"{text} ({origin})" if origin else text


def _own(table: ItemTable, errata: Sequence[str]) -> Iterator[str]:
    own = own_accuracies(table)
    if own.lines:
        yield "## Ours: test accuracy by protocol, and validation accuracy"
        heads = ("variant", "n", *own.heads, "95% interval of C")
        cells = ((_safe(label), str(runs), *cells, interval) for label, runs, interval, cells in own.lines)
        yield "\n".join(_table(heads, "l" + "r" * (len(heads) - 1), cells))
    others = [line for row in table.rows for line in other_lines(row, table, errata)]
    if others:
        yield "## More numbers of ours"
        heads = ("variant", "quantity", "ours: mean ± sd (n)", "95% interval")
        rows = ((_safe(each.label), *(_line_cells(each)[place] for place in (1, 3, 4))) for each in others)
        yield "\n".join(_table(heads, "llrr", rows))


def _costs(table: ItemTable) -> Iterator[str]:
    rows = [row for row in table.rows if row.parameters is not None or row.training_flops is not None]
    if not rows:
        return
    yield "## Cost"
    heads = ("variant", "parameters", "FLOPs per image", "training FLOPs", "training seconds", "Pareto front")
    cells = (
        (
            _safe(row.label),
            _number(row.parameters, ","),
            _number(row.forward_flops, ".3g"),
            _number(row.training_flops, ".3g"),
            _number(row.training_seconds, ",.1f"),
            "yes" if row.on_pareto_front else printing.MISSING,
        )
        for row in rows
    )
    yield "\n".join(_table(heads, "lrrrrl", cells))


def _number(value: float | None, style: str) -> str:
    return printing.MISSING if value is None else format(value, style)


def _table(heads: Cells, sides: str, rows: Iterable[Cells]) -> Iterator[str]:
    """The lines of a Markdown table; ``sides`` has l or r for each column."""
    rules = ["---:" if side == "r" else "---" for side in sides]
    return (f"| {' | '.join(cells)} |" for cells in (heads, rules, *rows))


def _claim_lines(table: ItemTable, errata: Sequence[str]) -> Iterator[str]:
    for claim in table.claims:
        stated = claim.published
        quantity = stated.quantity if stated else "difference"
        said = ""
        if stated:
            notes = note_numbers(stated, table, errata)
            said = f"report {_theirs(stated.text, printing.origin_text(stated), notes)}, "
        ours = f"ours {printing.estimate_text(quantity, claim.ours)} ({claim.measured})"
        yield f"{claim.text} ({claim.where}): {said}{ours}: {claim.verdict}. {claim.reason}"


def _list(title: str, lines: Iterable[str], *, numbered: bool = False) -> list[str]:
    found = [f"{f'{place}.' if numbered else '-'} {_safe(line)}" for place, line in enumerate(lines, 1)]
    return [f"## {title}", "\n".join(found)] if found else []


def _safe(text: str) -> str:
    """Plain text as Markdown: no cell, tag or link of its own, on one line."""
    escaped = printable(text).replace("\\", "\\\\").replace("|", "\\|")
    return escaped.replace("&", "&amp;").replace("<", "&lt;").replace("[", "\\[")
