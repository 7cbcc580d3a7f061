"""The items of report 002 about its networks and best model; the others are in ``small_resnets_studies``."""

from cifarlab.recipes.small_resnets import ALPHAS, REPORT
from cifarlab.studies.items import small_resnets_studies
from cifarlab.studies.items.item import Contrast, Item, Term, Variant

_RECIPE = small_resnets_studies.RECIPE
_BASE = Variant("ResNet24", "resnet24", ("test_accuracy",))
_MIXUP = Variant("ResNet24, mixup α = 1", "resnet24-mixup", ("test_accuracy",))

ITEMS = (
    Item(
        name="degradation",
        report=REPORT,
        title="Plain networks of 20 and 56 layers (figure 1, quoting He et al. 2015)",
        claim="the error of 56 layers is higher than that of 20",
        variants=(Variant("20 layers", "plain-20"), Variant("56 layers", "plain-56")),
        figures=("train-accuracy-curves", "accuracy-curves"),
        contrasts=(
            Contrast(
                "the network of 56 layers has the higher error (test)",
                "figure 1",
                Term(("20 layers",)),
                Term(("56 layers",)),
            ),
            Contrast(
                "the network of 56 layers has the higher error (training)",
                "figure 1",
                Term(("20 layers",), "train_accuracy"),
                Term(("56 layers",), "train_accuracy"),
            ),
        ),
        assumptions=("as in He et al. 2015: rate 0.1, falls at half and three quarters, weight decay 1e-4",),
        logged_train_accuracy=True,
    ),
    Item(
        name="parameters",
        report=REPORT,
        title="ResNet hyper-parameters (table 1)",
        claim="4,903,242, 4,909,642, 4,935,242 and 4,994,378 parameters",
        variants=(
            Variant("ResNet10", "resnet10-nesterov", ("trainable_parameters",)),
            Variant("ResNet16", "resnet16-nesterov", ("trainable_parameters",)),
            Variant("ResNet24", "resnet24", ("trainable_parameters",)),
            Variant("ResNet48", "resnet48-nesterov", ("trainable_parameters",)),
        ),
        compare="none",
        trained=False,
    ),
    *small_resnets_studies.ITEMS,
    Item(
        name="augmentation",
        report=REPORT,
        title="Images through each transformation (figure 10)",
        claim="Gaussian noise, crop, horizontal and vertical flip, normalization",
        variants=(Variant("with mixup", "resnet24-mixup"),),
        figures=("stages",),
        assumptions=_RECIPE[1:2],
        compare="none",
        trained=False,
    ),
    Item(
        name="best-model",
        report=REPORT,
        title="The best model: history and confusion matrix (section 2.2, figures 11 and 15)",
        claim="93.71 % without and 94.43 % with mixup; cat and dog worst",
        variants=(_MIXUP, _BASE),
        figures=("accuracy-curves", "loss-curves", "confusion"),
        contrasts=(
            Contrast(
                "mixup improves the accuracy", "section 2.2", Term((_MIXUP.label,)), Term((_BASE.label,))
            ),
            Contrast(
                "mixup improves it from 93.71 to 94.43 %",
                "section 2.2",
                Term((_MIXUP.label,)),
                Term((_BASE.label,)),
                numbers=("mixup.gain",),
            ),
            *(
                Contrast(
                    f"cat and dog have the highest error rates ({name} worse than bird, the next there)",
                    "section 2.3",
                    Term((_MIXUP.label,), class_names=("bird",)),
                    Term((_MIXUP.label,), class_names=(name,)),
                )
                for name in ("cat", "dog")
            ),
        ),
        assumptions=(*_RECIPE, "α = 1"),
    ),
    Item(
        name="mixup",
        report=REPORT,
        title="The strength of mixup (section 2.1.7)",
        claim="with α, training error rises and over-fitting is inhibited; no numbers",
        variants=(
            _BASE,
            *(Variant(f"α = {alpha}", f"resnet24-mixup-{alpha}") for alpha in ALPHAS[:3]),
            Variant("α = 1.0", "resnet24-mixup"),
            Variant(f"α = {ALPHAS[3]}", f"resnet24-mixup-{ALPHAS[3]}"),
        ),
        figures=("accuracy-curves", "train-loss-curves"),
        assumptions=_RECIPE,
    ),
    Item(
        name="histograms",
        report=REPORT,
        title="Parameters of each layer (figure 12)",
        claim="the parameters of each layer follow a normal distribution",
        variants=(_MIXUP,),
        figures=("weight-histograms",),
        assumptions=_RECIPE,
        compare="none",
    ),
    Item(
        name="grad-cam",
        report=REPORT,
        title="Gradient CAM of each layer (figure 13)",
        claim="from the edges of the target to the whole target",
        variants=(_MIXUP,),
        figures=("grad-cam",),
        assumptions=(*_RECIPE, "where the target lies is in no data set: edges and areas are measured"),
        compare="none",
    ),
    Item(
        name="architecture",
        report=REPORT,
        title="ResNet24's architecture drawn (figure 14)",
        claim="a drawing",
        variants=(Variant("ResNet24", "resnet24", ("trainable_parameters",)),),
        figures=("architecture",),
        compare="none",
        trained=False,
    ),
    Item(
        name="modern",
        report=REPORT,
        title="The same networks trained as one would today",
        claim="not in the report: equal epochs and FLOPs, another recipe",
        variants=(
            Variant("ResNet10", "resnet10-nesterov"),
            Variant("ResNet10, modern", "modern-resnet10"),
            _MIXUP,
            Variant("ResNet24, modern", "modern-resnet24"),
        ),
        figures=("accuracy-curves", "cost"),
        compare="all",
    ),
)
