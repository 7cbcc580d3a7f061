"""The recipes of the race: as little time as possible to a given accuracy.

All images are trained on and the last weights are judged: what held-out images have to say was asked while
the recipes were made (``docs/log.md``). The network, the loop and the judging are those of every other
recipe, so they train on other data too. Without bf16 arithmetic in the processor give ``train``
``--recipe.precision fp32 --recipe.optimizer.precision fp32``, and ``race`` ``--precision fp32``.
"""

from dataclasses import replace

from cifarlab.augment import AlternatingFlip, Normalize, RandomCrop
from cifarlab.data.holdout import NoHoldout
from cifarlab.freezing import LateFreezing
from cifarlab.losses import CrossEntropy
from cifarlab.models import FastCnn
from cifarlab.optim import Muon
from cifarlab.recipe import EvaluationMode, Judging, Recipe
from cifarlab.recipes.named import CIFAR_DEVIATION, CIFAR_MEAN, NamedRecipe, named
from cifarlab.resolution import GrowingResolution
from cifarlab.schedules import Linear
from cifarlab.views import TestTimeViews

_AUGMENTATION = (AlternatingFlip(), RandomCrop(padding=2, border="reflect"))


def race_cpu75() -> Recipe:
    """75 % in as little time as possible on a processor: ``race-cpu80``, narrower and on smaller images.

    24 pixels for four fifths of the run. 77.31 ± 0.47 % of 10,000 test images in 37 s (n = 3, JPEG
    copies of CIFAR-10, two cores of an AMD EPYC; ``records/race/``).
    """
    return replace(
        race_cpu85(),
        model=FastCnn((16, 64, 192), learned_factors=False),
        augment=_AUGMENTATION,
        resolution=GrowingResolution((24,), (0.8,)),
        epochs=2,
    )


def race_cpu80() -> Recipe:
    """80 % in as little time as possible on a processor: ``race-cpu85``, narrower and in 2 epochs.

    80.97 ± 0.47 % of 10,000 test images in 57 s (n = 3, as ``race-cpu75``; too few to show that the mean
    reaches 80 %).
    """
    model = FastCnn((24, 96, 192), learned_factors=False)
    return replace(race_cpu85(), model=model, augment=_AUGMENTATION, epochs=2)


def race_cpu85() -> Recipe:
    """85 % in as little time as possible on a processor: ``fast-cnn`` in 4 epochs, the first on small images.

    Biases learn at 64 times the rate of the classifier, as in airbench94; those of the whitening layer rest
    after three eighths of the run, as in airbench94_muon, and backward ends behind them. 85.79 ± 0.16 % of
    10,000 test images in 145 s (n = 3, JPEG copies of CIFAR-10, two cores of an AMD EPYC;
    ``records/race/``).
    """
    return Recipe(
        model=FastCnn((32, 128, 256), learned_factors=False),
        augment=(AlternatingFlip(), RandomCrop(padding=2)),  # reflected borders were found to be better later
        normalize=Normalize(CIFAR_MEAN, CIFAR_DEVIATION),
        resolution=GrowingResolution((24, 28), (0.4, 0.7)),
        optimizer=Muon(lr=0.03, iterations=3, precision="bf16", weight_decay=0.1, other_lr=0.14, bias_lr=9.0),
        schedule=Linear(warmup=0.2),
        loss=CrossEntropy(label_smoothing=0.2),
        freezing=LateFreezing((0.375,)),
        views=TestTimeViews(shift=0),
        epochs=4,
        batch_size=250,
        judging=Judging(NoHoldout(), select_by="last"),
        precision="bf16",
    )


def race_cpu_full() -> Recipe:
    """The accuracy of airbench94_muon's 8 epochs in as little time as possible on a processor.

    Its network's widths, 12 epochs, the first on small images. 90.80 % of 10,000 test images where the peer
    had 90.69 %, in 0.553 of its time (3 pairs, JPEG copies of CIFAR-10, two cores of an AMD EPYC and of an
    Intel Xeon; ``records/race/``).
    """
    return replace(
        race_cpu85(),
        model=FastCnn((64, 256, 256), learned_factors=False),
        augment=_AUGMENTATION,
        optimizer=Muon(
            lr=0.06,
            momentum=0.9,
            iterations=3,
            precision="bf16",
            weight_decay=0.1,
            other_lr=0.27,
            bias_lr=17.0,
        ),
        views=TestTimeViews(),
        epochs=12,
        batch_size=500,
    )


def race_gpu94() -> Recipe:
    """The accuracy of airbench94_muon in as little time as possible on one GPU.

    Its network's widths, batches, rates and 8 epochs, recorded steps. Nothing is measured of it yet.
    """
    return replace(
        race_cpu_full(),
        # The peer sums the loss over a batch and divides its logits by 256: 0.67 · 2000 · (9 / 256)² and
        # 0.053 · 2000 are its rates for our mean loss and our factor of 1/9.
        optimizer=Muon(
            lr=0.24,
            momentum=0.6,
            iterations=3,
            weight_decay=0.1,
            other_lr=1.65,
            bias_lr=106.0,
            other_momentum=0.85,
        ),
        judging=Judging(NoHoldout(), select_by="last", mode=EvaluationMode(batch_size=2000)),
        epochs=8,
        batch_size=2000,
        capture=True,
        compile=True,
    )


def race_gpu96() -> Recipe:
    """The accuracy of airbench96_faster in as little time as possible on one GPU.

    A wider network than that of ``race-gpu94``, for longer. Nothing is measured of it yet.
    """
    model = FastCnn((128, 384, 512), learned_factors=False)
    # Rates of race-cpu85, four times as high for batches four times as large.
    optimizer = Muon(lr=0.12, momentum=0.8, iterations=3, weight_decay=0.1, other_lr=0.56, bias_lr=36.0)
    return replace(race_gpu94(), model=model, optimizer=optimizer, epochs=30, batch_size=1000)


RECIPES: dict[str, NamedRecipe] = {
    "race-cpu75": named(race_cpu75, None),
    "race-cpu80": named(race_cpu80, None),
    "race-cpu85": named(race_cpu85, None),
    "race-cpu-full": named(race_cpu_full, None),
    "race-gpu94": named(race_gpu94, None),
    "race-gpu96": named(race_gpu96, None),
}
