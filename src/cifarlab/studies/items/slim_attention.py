"""The items of report 001."""

from cifarlab.recipes.slim_attention import REPORT
from cifarlab.studies.items.item import Contrast, Item, Term, Variant
from cifarlab.studies.table import Quantity

_RECIPE = (
    "a tenth of the training images held out: the report names a validation set and no split",
    "rates 0.1 (SGD) and 0.001 (Adam), halved every 20 epochs, at most 100 epochs, patience 15",
    "rotation by up to 20°, shifts by 0.2, bilinear with repeated edges",
)
_REGULARIZED = (*_RECIPE, "dropout 0.4 (authors' public code), L2 of 0.001 on the dense layer")
_ADAM = Variant("Adam", "slim-base")
_SGD = Variant("Nesterov SGD", "slim-base-sgd", ("best_epoch",))
_BASE, _BETTER = Variant("base", "slim-base"), Variant("regularized", "slim-attention")
_SMALL = Variant("our model, 6.8 M", "slim-attention", ("val_accuracy", "training_seconds"))
_LARGE = Variant("paper's model, 11.5 M", "slim-paper", ("val_accuracy", "training_seconds"))
_BOTH_SETS: tuple[tuple[str, Quantity], ...] = (
    ("validation", "val_accuracy"),
    ("training", "train_accuracy"),
)

ITEMS = (
    Item(
        name="optimizers",
        report=REPORT,
        title="Adam against Nesterov SGD (figure 4)",
        claim='Adam "increases 0.25 accuracy" on both sets; SGD stops early at epoch 48',
        variants=(_ADAM, _SGD, Variant("regularized, Nesterov SGD", "slim-attention-sgd")),
        figures=("accuracy-curves", "train-accuracy-curves", "loss-curves"),
        contrasts=tuple(
            Contrast(
                f"Adam 0.25 above SGD on the {part} set",
                "section 3.3",
                Term(("Adam",), quantity),
                Term(("Nesterov SGD",), quantity),
                numbers=("optimizers.adam-over-sgd", "optimizers.adam-over-sgd-0.025"),
            )
            for part, quantity in _BOTH_SETS
        ),
        assumptions=_RECIPE,
        logged_train_accuracy=True,
    ),
    Item(
        name="regularization",
        report=REPORT,
        title="With and without regularization (figure 5)",
        claim="base: training 0.039 above validation; regularized: validation accuracy 0.024 higher",
        variants=(_BASE, _BETTER),
        figures=("accuracy-curves", "train-accuracy-curves", "loss-curves"),
        contrasts=(
            Contrast(
                "the base model's training accuracy lies 0.039 above its validation accuracy",
                "section 3.3",
                Term(("base",), "train_accuracy"),
                Term(("base",), "val_accuracy"),
                numbers=("regularization.gap",),
            ),
            Contrast(
                "regularization improves the accuracy by 0.024",
                "section 3.3",
                Term(("regularized",), "val_accuracy"),
                Term(("base",), "val_accuracy"),
                numbers=("regularization.gain",),
            ),
        ),
        assumptions=_REGULARIZED,
        logged_train_accuracy=True,
    ),
    Item(
        name="capacity",
        report=REPORT,
        title="Comparing model capacity (figure 6)",
        claim="0.893 in about 1 h against 0.90 in almost 5 h: −40 % parameters, −75 % time, < 1 point lost",
        variants=(_SMALL, _LARGE),
        figures=("capacity", "accuracy-curves"),
        contrasts=(
            Contrast(
                "about 40 % of the parameters saved",
                "section 3.1",
                Term((_SMALL.label,), "parameters"),
                Term((_LARGE.label,), "parameters"),
                kind="saving",
                numbers=("capacity.parameters-saved",),
            ),
            Contrast(
                "75 % of the training time saved",
                "abstract",
                Term((_SMALL.label,), "training_seconds"),
                Term((_LARGE.label,), "training_seconds"),
                kind="saving",
                numbers=("capacity.time-saved",),
            ),
            Contrast(
                "less than 1 point of accuracy lost",
                "abstract",
                Term((_LARGE.label,), "val_accuracy"),
                Term((_SMALL.label,), "val_accuracy"),
                kind="less than",
                numbers=("capacity.accuracy-lost",),
            ),
        ),
        assumptions=_REGULARIZED,
    ),
    Item(
        name="parameters",
        report=REPORT,
        title="Model structure (table 1)",
        claim="6.8 and 11.5 million parameters",
        variants=(
            Variant("our model", "slim-attention", ("parameters",)),
            Variant("paper's model", "slim-paper", ("parameters",)),
        ),
        assumptions=("512 channels at 8×8 and one trunk unit, where the table says 1024 at 4×4",),
        compare="none",
        trained=False,
    ),
    Item(
        name="last-layer",
        report=REPORT,
        title="Histogram of the last layer's weights (figure 7)",
        claim="a picture without numbers",
        variants=(_BETTER,),
        figures=("last-layer-histogram",),
        assumptions=_REGULARIZED,
        compare="none",
    ),
    Item(
        name="modern",
        report=REPORT,
        title="The same network trained as one would today",
        claim="not in the report: equal epochs and FLOPs, another recipe",
        variants=(_BETTER, Variant("modern", "modern-slim-attention")),
        figures=("accuracy-curves", "cost"),
    ),
)
