"""The items of report 004."""

from cifarlab.recipes.cbam_aspp import REPORT
from cifarlab.studies.items.item import Contrast, Item, Term, Variant
from cifarlab.studies.table import Quantity

_RECIPE = (
    "SGD with momentum 0.9, weight decay 5e-4, batches of 128, normalization by channel",
    "model 2 flips horizontally too, as the table has it",
)
_ASPP = "ASPP: 1×1, 3×3 at dilation 1, 2 and 3, image pooling, 256 channels each, projected to 256"
_TEST: tuple[Quantity, ...] = ("test_accuracy", "best_epoch")
_BASIC = Variant("model 1: basic", "resnet18", _TEST)
_ROTATED = Variant("model 2: augmented", "resnet18-rotated", _TEST)
_CBAM = Variant("model 3: augmented, CBAM", "resnet18-cbam", _TEST)
_FULL = Variant("model 4: augmented, CBAM, ASPP", "resnet18-cbam-aspp", _TEST)

ITEMS = (
    Item(
        name="models",
        report=REPORT,
        title="Test comparison of four models (table 1, figures 11 to 13)",
        claim="best test accuracy 95.000 / 93.409 / 94.709 / 94.936 % at epochs 286 / 249 / 232 / 281",
        variants=(_BASIC, _ROTATED, _CBAM, _FULL),
        figures=("train-accuracy-curves", "test-accuracy-curves", "train-loss-curves", "cost"),
        contrasts=(
            Contrast(
                "the basic model performs best, ahead of CBAM with ASPP",
                "section IV",
                Term((_BASIC.label,)),
                Term((_FULL.label,)),
            ),
        ),
        assumptions=(*_RECIPE, _ASPP),
        compare="all",
    ),
    Item(
        name="rotations",
        report=REPORT,
        title="What the rotations alone do (left open by table 1)",
        claim="models 3 and 4 rotate more rarely than model 2, so CBAM's part cannot be told from theirs",
        variants=(
            _BASIC,
            _ROTATED,
            Variant("rarer rotations alone", "resnet18-rotated-seldom"),
            _CBAM,
            Variant("model 3, probabilities that sum to 1", "resnet18-cbam-normalized"),
            Variant("model 4, probabilities that sum to 1", "resnet18-cbam-aspp-normalized"),
        ),
        figures=("test-accuracy-curves", "train-accuracy-curves"),
        assumptions=(*_RECIPE, _ASPP),
    ),
    Item(
        name="pyramid",
        report=REPORT,
        title='ASPP "more like SPP" (section 2.4)',
        claim="one number, 94.936 %, for what may be either",
        variants=(_FULL, Variant("pure SPP instead", "resnet18-cbam-spp")),
        figures=("test-accuracy-curves", "cost"),
        assumptions=(*_RECIPE, _ASPP),
    ),
    Item(
        name="parameters",
        report=REPORT,
        title="Parameters of its networks",
        claim="not in the report; counted by us",
        variants=(
            Variant("ResNet18", "resnet18", ("trainable_parameters",)),
            Variant("with CBAM", "resnet18-cbam", ("trainable_parameters",)),
            Variant("with CBAM and ASPP", "resnet18-cbam-aspp", ("trainable_parameters",)),
            Variant("with CBAM and SPP", "resnet18-cbam-spp", ("trainable_parameters",)),
        ),
        assumptions=(_ASPP,),
        compare="none",
        trained=False,
    ),
    Item(
        name="augmentation",
        report=REPORT,
        title="The self-defined rotation (figure 5)",
        claim="0, 30, 330, 60, 300, 90 and 270° with given probabilities",
        variants=(Variant("model 2", "resnet18-rotated"),),
        figures=("stages",),
        assumptions=_RECIPE[1:],
        compare="none",
        trained=False,
    ),
    Item(
        name="modern",
        report=REPORT,
        title="The same network trained as one would today",
        claim="not in the report: equal epochs and FLOPs, another recipe",
        variants=(Variant("model 1: basic", "resnet18"), Variant("modern", "modern-resnet18")),
        figures=("accuracy-curves", "cost"),
    ),
)
