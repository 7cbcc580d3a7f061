"""The items of report 000."""

from cifarlab.recipes.tiny_attention import REPORT, SUBSETS
from cifarlab.studies.items.item import Contrast, Item, Term, Variant

_RECIPE = (
    "Adam, cross-entropy, warm-up from 0, dropout 0.2, normalization by channel: the report is silent",
    "flip, rotation by up to 15°, shifts of 10 %, zoom of 0.1, bilinear with repeated edges",
)
_TINY = Variant(
    "own unit, 396,810 parameters",
    "tiny-attention",
    ("test_accuracy", "train_accuracy", "best_epoch"),
)

ITEMS = (
    Item(
        name="accuracy",
        report=REPORT,
        title="The network of 396,810 parameters (section 2, training curve)",
        claim="92.01 % test at the best epoch, 219; 99.59 % on the training images; 89 % after 100 epochs",
        variants=(_TINY,),
        figures=("accuracy-curves", "loss-curves", "confusion"),
        contrasts=(
            Contrast(
                "the first 100 epochs reach 89 %, the last 150 add 3 points",
                "section 2",
                Term((_TINY.label,), "best_test_accuracy"),
                Term((_TINY.label,), "best_test_accuracy", within=0.4),
                numbers=("last-150-epochs.gain",),
            ),
            Contrast(
                "89 % in the first 100 epochs",
                "section 2",
                Term((_TINY.label,), "best_test_accuracy", within=0.4),
                numbers=("first-100-epochs.test_accuracy",),
            ),
        ),
        assumptions=_RECIPE,
        measures=("train_accuracy",),
        compare="none",
    ),
    Item(
        name="training-size",
        report=REPORT,
        title="Accuracy under different numbers of training samples (table 1, figure 4)",
        claim="test 92.01 / 89.08 / 87.15 / 84.61 / 79.34 / 51.57 % at 50,000 … 1,560 images",
        variants=(
            Variant("50,000 images, 250 epochs", "tiny-attention", ("test_accuracy", "train_accuracy")),
            Variant("50,000 images, 100 epochs", "tiny-attention-100"),
            *(
                Variant(f"{images:,} images", f"tiny-attention-{images}", ("test_accuracy", "train_accuracy"))
                for images in (*SUBSETS, 1_560)
            ),
        ),
        figures=("training-size", "accuracy-curves"),
        assumptions=(*_RECIPE, "halved, equal per class, rounded down: subsets of one another"),
        measures=("train_accuracy",),
        compare="none",
    ),
    Item(
        name="wide",
        report=REPORT,
        title="Four times as many channels (section 2)",
        claim='94.56 % test with "about 7.2 million" parameters',
        variants=(
            Variant("four times as wide, 6.07 M", "tiny-attention-wide", ("test_accuracy",)),
            Variant("and one more last unit, 7.19 M", "tiny-attention-wide-7m", ("test_accuracy",)),
            Variant(_TINY.label, "tiny-attention", ("test_accuracy",)),
        ),
        figures=("cost", "accuracy-curves"),
        assumptions=(*_RECIPE, "one more final unit is the likely 7.2 million; both are trained"),
        compare="all",
    ),
    Item(
        name="timing",
        report=REPORT,
        title="Time for training and inference (section 2)",
        claim="33 s an epoch, 8,250 s in all; inference 11 s (training set) and 2 s (test set), on a P100",
        variants=(
            Variant(
                _TINY.label,
                "tiny-attention",
                (
                    "seconds_per_epoch",
                    "training_seconds",
                    "train_inference_seconds",
                    "test_inference_seconds",
                ),
            ),
        ),
        assumptions=_RECIPE,
        measures=("inference_seconds",),
        compare="none",
    ),
    Item(
        name="units",
        report=REPORT,
        title="Its residual unit beside the basic and the plain bottleneck block (figure 1)",
        claim="the pre-activation bottleneck is chosen; no numbers",
        variants=(
            Variant(_TINY.label, "tiny-attention"),
            Variant("basic block", "tiny-attention-basic-units"),
            Variant("plain bottleneck", "tiny-attention-bottleneck-units"),
        ),
        figures=("accuracy-curves", "cost"),
        assumptions=_RECIPE,
    ),
    Item(
        name="lenet-5",
        report=REPORT,
        title="Beside LeNet-5 (section 1)",
        claim="features are extracted better than by LeNet-5; no number",
        variants=(Variant(_TINY.label, "tiny-attention"), Variant("LeNet-5", "lenet-5")),
        figures=("accuracy-curves", "cost"),
        contrasts=(
            Contrast(
                "deeper, it extracts features better than LeNet-5",
                "section 1",
                Term((_TINY.label,)),
                Term(("LeNet-5",)),
            ),
        ),
        assumptions=(*_RECIPE, "LeNet-5 trained as the report's own network"),
    ),
    Item(
        name="parameters",
        report=REPORT,
        title="Model size (section 2)",
        claim="396,810 parameters, 389,258 of them trainable; about 7.2 million four times as wide",
        variants=(
            Variant("tiny", "tiny-attention", ("parameters", "trainable_parameters", "statistics")),
            Variant("four times as wide", "tiny-attention-wide", ("parameters",)),
            Variant("and one more last unit", "tiny-attention-wide-7m", ("parameters",)),
            Variant("LeNet-5", "lenet-5"),
        ),
        assumptions=("channels and layers that give the count exactly; other structures give it too",),
        compare="none",
        trained=False,
    ),
    Item(
        name="learning-rate",
        report=REPORT,
        title="The learning rate (figure 5)",
        claim="linear warm-up over 25 of 250 epochs to 0.001, then a cosine, per step",
        variants=(
            Variant("250 epochs, 25 of warm-up", "tiny-attention"),
            Variant("100 epochs, 10 of warm-up", "tiny-attention-100"),
        ),
        figures=("learning-rate",),
        assumptions=("warm-up from 0",),
        compare="none",
        trained=False,
    ),
    Item(
        name="augmentation",
        report=REPORT,
        title="Images with cutout (figure 4)",
        claim="random erasing with p 0.5, area 0.02 to 0.4, aspect 0.3 to 1/0.3, filled with noise",
        variants=(Variant("augmentation", "tiny-attention"),),
        figures=("stages",),
        assumptions=_RECIPE[1:],
        compare="none",
        trained=False,
    ),
    Item(
        name="modern",
        report=REPORT,
        title="The same networks trained as one would today",
        claim="not in the report: equal epochs and FLOPs, another recipe",
        variants=(
            Variant(_TINY.label, "tiny-attention"),
            Variant("modern", "modern-tiny-attention"),
            Variant("LeNet-5", "lenet-5"),
            Variant("LeNet-5, modern", "modern-lenet-5"),
        ),
        figures=("accuracy-curves", "cost"),
        compare="all",
    ),
)
