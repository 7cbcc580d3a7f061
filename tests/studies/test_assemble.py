"""From finished runs to a table: quantities, protocols, verdicts, claims."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from cifarlab import run
from cifarlab.data.holdout import NoHoldout
from cifarlab.data.split import Source
from cifarlab.models import PlainCnn
from cifarlab.optim import Adam
from cifarlab.recipe import Judging, Recipe
from cifarlab.studies import published
from cifarlab.studies.arrange import Arrangement, PlannedRow
from cifarlab.studies.assemble import assemble
from cifarlab.studies.estimates import estimate
from cifarlab.studies.items.item import Contrast, Item, Term, Variant
from cifarlab.studies.ledger import Outcome
from cifarlab.studies.plan import PlannedRun
from cifarlab.studies.rows import with_pareto_front
from cifarlab.studies.scale import Extent
from cifarlab.studies.table import Entry, ItemTable, Published, Row
from cifarlab.train import train
from support import small_recipe, synthetic_source

SEEDS = (0, 1, 2)
GOOD = small_recipe(
    model=PlainCnn(widths=(4, 4, 8), batch_norm=True),
    optimizer=Adam(lr=0.02),
    epochs=6,
    published=Judging(NoHoldout(), select_by="test_accuracy"),
)
BAD = replace(GOOD, model=PlainCnn(widths=(2, 2, 2)), epochs=1)
ITEM = Item(
    name="item",
    report="small-resnets",
    title="A title",
    claim="the first is better",
    variants=(
        Variant("good", "resnet24", ("test_accuracy", "best_epoch", "trainable_parameters")),
        Variant("bad", "resnet24"),
    ),
    contrasts=(
        Contrast("good is better", "section 1", Term(("good",)), Term(("bad",))),
        Contrast("bad is better", "section 1", Term(("bad",)), Term(("good",))),
        Contrast("no class is called whale", "", Term(("bad",), class_names=("whale",)), Term(("good",))),
        Contrast(
            "it saves parameters", "", Term(("bad",), "parameters"), Term(("good",), "parameters"), "saving"
        ),
        Contrast("equal", "", Term(("good",)), Term(("good",)), "no difference"),
        Contrast("less of itself", "", Term(("good",), "test_accuracy", minus="test_accuracy")),
    ),
    assumptions=("ours",),
    compare="all",
)


@pytest.fixture(scope="module")
def source() -> Source:
    return synthetic_source(60, 150, noise=100.0)


@pytest.fixture(scope="module")
def made(source: Source, tmp_path_factory: pytest.TempPathFactory) -> dict[PlannedRun, Outcome]:
    """Both rows under both protocols, over three seeds."""
    runs = tmp_path_factory.mktemp("runs")
    found = {}
    for row in rows_of(SEEDS):
        for planned in (*row.runs, *row.published_runs):
            out = runs / f"{planned.recipe_name}-{planned.seed}-{planned.protocols.replace(',', '')}"
            train(planned.recipe, source, out, seed=planned.seed, protocols=planned.protocols, device="cpu")
            found[planned] = Outcome(out, "finished")
    return found


def rows_of(seeds: tuple[int, ...]) -> tuple[PlannedRow, ...]:
    def row(variant: Variant, recipe: Recipe) -> PlannedRow:
        ours = tuple(PlannedRun(variant.label, recipe, "data", seed, "B,C") for seed in seeds)
        theirs = tuple(PlannedRun(variant.label, recipe, "data", seed, "A") for seed in seeds)
        return PlannedRow(variant, recipe, ours, theirs)

    return tuple(row(variant, recipe) for variant, recipe in zip(ITEM.variants, (GOOD, BAD), strict=True))


def tabled(
    made: dict[PlannedRun, Outcome],
    *,
    seeds: tuple[int, ...] = SEEDS,
    extent: Extent | None = None,
    official: bool = True,
) -> ItemTable:
    scale = "full" if extent is None else "smoke"
    arrangement = Arrangement(ITEM, scale, seeds, "data", extent, rows_of(seeds))  # type: ignore[arg-type]
    return assemble(arrangement, made, 3, data_name="data", official_data=official, device="cpu")


@pytest.fixture
def their_accuracy(made: dict[PlannedRun, Outcome], monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """What the report is made to state of the first row's test accuracy; ours to begin with."""
    value = [accuracy_of(made, "good", "A")]
    real = published.number

    def stated(report: str, key: str) -> Published:
        if key.endswith("test_accuracy"):
            return Published("test_accuracy", value[0], f"{100 * value[0]:.2f} %", "table 1", tolerance=5e-5)
        return real(report, key) if key.endswith("_parameters") else Published("best_epoch", 2.0, "2", "text")

    monkeypatch.setattr(published, "number", stated)
    yield value


def accuracy_of(made: dict[PlannedRun, Outcome], label: str, protocols: str) -> float:
    values = [
        float(run.read_result(outcome.folder)["test_accuracy"])
        for planned, outcome in made.items()
        if outcome.folder and (planned.recipe_name, planned.protocols) == (label, protocols)
    ]
    return sum(values) / len(values)


def entry_of(table: ItemTable, protocol: str) -> Entry:
    entry = table.rows[0].entry("test_accuracy", protocol)
    assert entry is not None
    return entry


def test_a_number_is_held_against_the_runs_under_protocol_a(
    made: dict[PlannedRun, Outcome], their_accuracy: list[float]
) -> None:
    entry = entry_of(tabled(made), "A")
    assert entry.published is not None
    assert entry.ours is not None
    assert entry.ours.mean == pytest.approx(accuracy_of(made, "good", "A"))
    assert entry.verdict in ("reproduced", "underpowered")
    assert "wider" in entry.reason or entry.verdict == "reproduced"
    ours = entry_of(tabled(made), "C").ours
    assert ours is not None
    assert ours.mean == pytest.approx(accuracy_of(made, "good", "B,C"))


@pytest.mark.parametrize(("value", "verdict"), [(-0.9, "higher"), (1.9, "lower")])
def test_a_number_beyond_ours_is_higher_or_lower(
    made: dict[PlannedRun, Outcome], their_accuracy: list[float], value: float, verdict: str
) -> None:
    their_accuracy[0] = value
    assert entry_of(tabled(made), "A").verdict == verdict


def test_shortened_or_other_data_are_never_comparable(
    made: dict[PlannedRun, Outcome], their_accuracy: list[float]
) -> None:
    for table in (tabled(made, extent=Extent(60, 150, 3)), tabled(made, official=False)):
        assert entry_of(table, "A").verdict == "not comparable"
        verdicts = {claim.text: claim.verdict for claim in table.claims}
        assert verdicts["good is better"] == verdicts["bad is better"] == "not comparable"
        assert verdicts["equal"] == "not comparable"
    assert table_reason(tabled(made, extent=Extent(60, 150, 3))) == "a smoke run"
    assert table_reason(tabled(made, official=False)) == "other data"


def table_reason(table: ItemTable) -> str:
    return entry_of(table, "A").reason


def test_two_seeds_are_too_few(made: dict[PlannedRun, Outcome], their_accuracy: list[float]) -> None:
    table = tabled(made, seeds=(0, 1))
    assert entry_of(table, "A").verdict == "underpowered"
    assert {claim.verdict for claim in table.claims if claim.text != "it saves parameters"} <= {
        "underpowered",
        "not identifiable",
    }


def test_counts_are_judged_without_seeds_or_data(
    made: dict[PlannedRun, Outcome], their_accuracy: list[float]
) -> None:
    table = tabled(made, seeds=(0,), official=False)
    entry = table.rows[0].entry("trainable_parameters", "")
    assert entry is not None
    assert entry.ours is not None
    total = table.rows[0].parameters
    assert total is not None
    assert 0 < entry.ours.mean < total  # BatchNorm's statistics are not trained
    assert entry.verdict == "lower"  # this small network is no ResNet24


def test_claims_have_a_direction(made: dict[PlannedRun, Outcome], their_accuracy: list[float]) -> None:
    claims = {claim.text: claim for claim in tabled(made).claims}
    ours = claims["good is better"].ours
    assert ours is not None
    expected = accuracy_of(made, "good", "A") - accuracy_of(made, "bad", "A")
    assert ours.mean == pytest.approx(expected)
    assert expected > 0.1
    assert claims["good is better"].verdict == "reproduced"
    assert claims["bad is better"].verdict == "lower"
    assert claims["equal"].verdict == "underpowered"  # three equal differences show no spread
    assert claims["no class is called whale"].ours is None
    less = claims["less of itself"]
    assert less.ours is not None and less.ours.values == (0, 0, 0)
    assert less.measured == "(test accuracy minus test accuracy) of good"
    saving = claims["it saves parameters"].ours
    assert saving is not None
    assert 0 < saving.mean < 1


def test_optimism_is_what_choosing_on_the_test_set_gains(
    made: dict[PlannedRun, Outcome], their_accuracy: list[float]
) -> None:
    row = tabled(made).rows[0]
    best, ours, optimism = (
        row.entry("test_accuracy", "B"),
        row.entry("test_accuracy", "C"),
        row.entry("difference", "B"),
    )
    assert best
    assert best.ours
    assert ours
    assert ours.ours
    assert optimism
    assert optimism.ours
    assert optimism.ours.mean == pytest.approx(best.ours.mean - ours.ours.mean)
    assert min(optimism.ours.values) >= 0
    assert row.entry("test_accuracy", "last") is not None


def test_a_run_that_failed_is_named_and_the_rest_counts(
    made: dict[PlannedRun, Outcome], their_accuracy: list[float]
) -> None:
    broken = dict(made)
    for planned in broken:
        if (planned.recipe_name, planned.seed) == ("good", 1):
            broken[planned] = Outcome(None, "diverged", "the loss was not finite")
    table = tabled(broken)
    row = table.rows[0]
    assert len(row.runs) == len(row.published_runs) == 2
    assert row.failures == (
        "diverged: the loss was not finite",
        "protocol A diverged: the loss was not finite",
    )
    assert entry_of(table, "A").verdict == "underpowered"
    nothing = {planned: Outcome(None, "failed", "out of memory") for planned in made}
    empty = tabled(nothing)
    assert empty.rows[0].entry("test_accuracy", "C") is None
    assert entry_of(empty, "A").ours is None
    assert empty.comparisons == ()


def test_rows_are_compared_in_pairs(made: dict[PlannedRun, Outcome], their_accuracy: list[float]) -> None:
    (comparison,) = tabled(made).comparisons
    assert (comparison.first, comparison.second) == ("good", "bad")
    expected = accuracy_of(made, "good", "B,C") - accuracy_of(made, "bad", "B,C")
    assert comparison.difference == pytest.approx(expected)


def test_what_a_table_says_of_itself(made: dict[PlannedRun, Outcome], their_accuracy: list[float]) -> None:
    table = tabled(made)
    assert table.assumptions == ("ours",)
    assert table.machines
    assert "torch" in table.machines[0].versions
    assert any("trace" in erratum or "matrix" in erratum for erratum in table.errata) or table.errata
    assert table.rows[0].training_flops
    assert table.rows[0].training_seconds


def test_pareto_front() -> None:
    def row(label: str, flops: float | None, accuracy: float) -> Row:
        entry = Entry("test_accuracy", "C", estimate([accuracy]))
        return Row(label, "r", (entry,), training_flops=flops)

    rows = with_pareto_front(
        [row("cheap", 1, 0.5), row("dear", 9, 0.9), row("worse", 9.5, 0.8), row("unknown", None, 1.0)]
    )
    assert [each.on_pareto_front for each in rows] == [True, True, False, False]
    assert [each.on_pareto_front for each in with_pareto_front([Row("no run", "r", ())])] == [False]
