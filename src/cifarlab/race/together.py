"""Records of one race from several machines, seen together.

The two runs of a pair share a machine, so ratios of their times and differences of their accuracies go
together with those of other machines. Seconds do not.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from cifarlab.config import differences
from cifarlab.errors import UserError
from cifarlab.race.header import differing, in_one_line, lasting_facts
from cifarlab.race.record import Record

_OF_A_MACHINE = ("hardware", "versions", "machine_peaks", "command", "commands")
"""The entries of a header that do not decide which race it is."""


def together(records: Sequence[Record]) -> Record:
    """All runs of records that differ in their machines alone.

    Raises:
        UserError: they are not of one race, or two of one machine have a seed in common: the same seed gives
            the same run there, which would count twice.
    """
    header = _anywhere(records[0].header)
    for place, record in enumerate(records):
        changes = differing(header, _anywhere(record.header)) or _otherwise_changed(records[0], record)
        if changes:
            raise UserError(f"these records are not of one race ({in_one_line(changes)})")
        for other in records[:place]:
            if _hardware(record) == _hardware(other) and record.seeds & other.seeds:
                raise UserError(
                    f"two records of {machine_text(record.header)} have the seed "
                    f"{min(record.seeds & other.seeds)} in common; on one machine race into one folder"
                )
    return Record(
        header,
        pairs=tuple(pair for record in records for pair in record.pairs),
        runs=tuple(run for record in records for run in record.runs),
        failures=tuple(failure for record in records for failure in record.failures),
    )


def count_machines(records: Sequence[Record]) -> int:
    """How many machines the records are from."""
    each = [_hardware(record) for record in records]
    return sum(hardware not in each[:place] for place, hardware in enumerate(each))


def repeated_seeds(records: Sequence[Record]) -> list[int]:
    """Those that more than one record has used up: such runs draw the same numbers."""
    counts = Counter(seed for record in records for seed in record.seeds)
    return sorted(seed for seed, count in counts.items() if count > 1)


def machine_text(header: dict[str, Any]) -> str:
    """The machine of a record: ``NVIDIA H200``, or ``AMD EPYC, 2 threads``."""
    hardware: dict[str, Any] = header.get("hardware", {})
    if "gpu" in hardware:
        return str(hardware["gpu"])
    return f"{hardware.get('processor', 'unknown processor')}, {hardware.get('threads', '?')} threads"


def _anywhere(header: dict[str, Any]) -> dict[str, Any]:
    kept = {name: value for name, value in header.items() if name not in _OF_A_MACHINE}
    return {**kept, "device": str(header.get("device")).partition(":")[0]}


def _hardware(record: Record) -> Any:
    return record.header.get("hardware")


def _otherwise_changed(one: Record, other: Record) -> list[str]:
    """In what the adapter changed the peer's script otherwise, where both tell."""
    before, after = ((record.header.get("peer") or {}).get("facts") for record in (one, other))
    if before is None or after is None:
        return []
    return differences(lasting_facts(before), lasting_facts(after), "peer.facts")
