"""The items of report 003."""

from cifarlab.recipes.cnn_to_shake_shake import REPORT
from cifarlab.studies.items.item import Contrast, Item, Term, Variant
from cifarlab.studies.table import Quantity

_THREE: tuple[Quantity, ...] = ("train_accuracy", "val_accuracy", "test_accuracy")
_RECIPE = (
    "early stopping after 10 epochs without a lower validation loss, where the report says n",
    "weight decay 1e-4 and evaluation in training mode: from the authors' public code",
    "phase 3 goes on from phase 2's weights; phase 4 starts afresh and has all its epochs",
)
_BASIC = Variant("basic", "cnn-basic")
_REGULARIZED = Variant("regularized", "cnn-regularized", _THREE)
_AUGMENTED = Variant("augmented", "cnn-augmented", _THREE, after="regularized")
_FINAL = Variant("final", "cnn-final", (*_THREE, "val_loss"))
_SHAKE = (
    "Nesterov SGD at 0.1 with a cosine, weight decay 1e-4: the implementation that the report names",
    "crop and flip; the number is read as that of the last epoch",
)

ITEMS = (
    Item(
        name="phases",
        report=REPORT,
        title="The four phases of the plain CNN (sections II and IV)",
        claim="81.37 / 80.69 / 73.52; 74.92 / 80.63 / 72.92; 80.46 / 85.09 / 77.05 % (train / val. / test)",
        variants=(_BASIC, _REGULARIZED, _AUGMENTED, _FINAL),
        figures=("loss-curves", "accuracy-curves", "per-class", "confusion"),
        contrasts=(
            Contrast(
                '"we improved the accuracy" by augmentation',
                "section II",
                Term(("augmented",)),
                Term(("regularized",)),
            ),
        ),
        assumptions=_RECIPE,
        measures=("train_accuracy",),
    ),
    Item(
        name="policies",
        report=REPORT,
        title="AutoAugment and Cutout (section II, state of the art)",
        claim="both are presented; whether the reported runs used them is not said",
        variants=(
            _REGULARIZED,
            Variant("rotation", "cnn-augmented", after="regularized"),
            Variant("AutoAugment", "cnn-autoaugment", after="regularized"),
            Variant("rotation and Cutout", "cnn-cutout", after="regularized"),
        ),
        figures=("accuracy-curves", "loss-curves"),
        assumptions=(*_RECIPE, "one hole of 16×16 pixels"),
    ),
    Item(
        name="final-rates",
        report=REPORT,
        title="The rates of phase 4: as coded and as written (section IV)",
        claim="0.0001 after epoch 100 in the text; × 0.5 at 75 and 100, so 0.00025, in the code",
        variants=(_FINAL, Variant("as written", "cnn-final-as-written")),
        figures=("learning-rate", "loss-curves"),
        assumptions=(_RECIPE[1], "it starts afresh and has all its epochs"),
    ),
    Item(
        name="shake-shake",
        report=REPORT,
        title="Shake-Shake 26 2×64d (section IV)",
        claim="96.03 % test after 1,800 epochs, batch 64",
        variants=(
            Variant("rate 0.1, cosine", "shake-shake", ("test_accuracy",)),
            Variant("rate 0.001, as written", "shake-shake-as-written"),
        ),
        figures=("accuracy-curves", "loss-curves"),
        assumptions=_SHAKE,
    ),
    Item(
        name="shake-shake-short",
        report=REPORT,
        title="The shortened Shake-Shake run (section IV)",
        claim="79.52 / 89.42 / 77.32 % (train / validation / test), stopped early, batch 32",
        variants=(
            Variant(
                "45,000 / 5,000 images",
                "shake-shake-short",
                _THREE,
                unidentified="the report stopped this run early and does not say when",
            ),
        ),
        figures=("accuracy-curves", "loss-curves"),
        assumptions=(
            "Nesterov SGD with momentum 0.9 and weight decay 1e-4: ours",
            "rates 0.01, 0.005, 0.0025, 0.001; crop, flip, rotation, AutoAugment and Cutout as presented",
        ),
        measures=("train_accuracy",),
        compare="none",
    ),
    Item(
        name="parameters",
        report=REPORT,
        title="Layer print-outs",
        claim="307,498 and 308,394 parameters; Shake-Shake 26 2×64d of the named implementation",
        variants=(
            Variant("basic", "cnn-basic", ("trainable_parameters",)),
            Variant("regularized", "cnn-regularized", ("trainable_parameters",)),
            Variant("Shake-Shake 26 2×64d", "shake-shake", ("trainable_parameters",)),
        ),
        compare="none",
        trained=False,
    ),
    Item(
        name="augmentation",
        report=REPORT,
        title="Its augmentation (section II)",
        claim="crop, flip, rotation by up to 15°",
        variants=(Variant("phases 3 and 4", "cnn-augmented"),),
        figures=("stages",),
        compare="none",
        trained=False,
    ),
    Item(
        name="modern",
        report=REPORT,
        title="The same networks trained as one would today",
        claim="not in the report: equal epochs and FLOPs, another recipe",
        variants=(
            Variant("regularized", "cnn-regularized"),
            Variant("regularized, modern", "modern-cnn"),
            Variant("Shake-Shake, 125 epochs", "shake-shake-short"),
            Variant("Shake-Shake, 125 epochs, modern", "modern-shake-shake"),
        ),
        figures=("accuracy-curves", "cost"),
        compare="all",
    ),
)
