"""The items of report 002 that change one thing about ResNet24, or all four networks.

The report's figures 4, 5, 6, 8 and 9 are lost; what its text says of them is judged.
"""

from collections.abc import Sequence

from cifarlab.recipes.small_resnets import ACTIVATIONS, NETWORKS, ORDERS, REPORT, STRENGTHS
from cifarlab.studies.items.item import Contrast, Item, Term, Variant

RECIPE = (
    "rate 0.1 for the SGD family",
    "Gaussian noise of variance 1 on the scale of bytes",
    "what chose the epoch is not said; ours is chosen on the validation set",
)
_TITLES = {
    "resnet10": "ResNet10",
    "resnet16": "ResNet16",
    "resnet24": "ResNet24",
    "resnet48": "ResNet48",
    "nesterov": "SGD Nesterov",
    "momentum": "SGD momentum",
    "adagrad": "Adagrad",
    "adadelta": "Adadelta",
    "adagrad-0.1": "Adagrad, rate 0.1",
    "adadelta-0.1": "Adadelta, rate 0.1",
}
_SGD, _ADA = ("nesterov", "momentum"), ("adagrad", "adadelta")
_ALL_0_1 = ("adagrad-0.1", "adadelta-0.1")


def _optimizer_label(network: str, optimizer: str) -> str:
    return f"{_TITLES[network]} · {_TITLES[optimizer]}"


def _labels(optimizers: Sequence[str], networks: Sequence[str] = tuple(NETWORKS)) -> tuple[str, ...]:
    return tuple(_optimizer_label(network, optimizer) for network in networks for optimizer in optimizers)


def _optimizer_variant(network: str, optimizer: str) -> Variant:
    recipe = "resnet24" if (network, optimizer) == ("resnet24", "nesterov") else f"{network}-{optimizer}"
    return Variant(_optimizer_label(network, optimizer), recipe)


def _penalties() -> tuple[Variant, ...]:
    return tuple(
        Variant(f"{kind.upper()} · {strength}", f"resnet24-{kind}-{strength}")
        for kind in ("l1", "l2")
        for strength in STRENGTHS
    )


def _beats_others(text: str, where: str, best: str, others: tuple[str, ...]) -> tuple[Contrast, ...]:
    """One contrast per rival: it is not better than ``best``."""
    return tuple(
        Contrast(f"{text} ({other})", where, Term((best,)), Term((other,)), "at least") for other in others
    )


ITEMS = (
    Item(
        name="optimizers",
        report=REPORT,
        title="Optimizers against accuracy for the four networks (figure 4)",
        claim="SGD's kinds about 8 points above Ada's kinds and over-fitting more; the deeper the better",
        variants=tuple(
            _optimizer_variant(network, optimizer)
            for network in NETWORKS
            for optimizer in (*_SGD, *_ADA, *_ALL_0_1)
        ),
        figures=("accuracy-curves", "cost"),
        contrasts=(
            Contrast(
                "the SGD family is 8 points more accurate than the Ada family",
                "section 2.1.2",
                Term(_labels(_SGD), "val_accuracy"),
                Term(_labels(_ADA), "val_accuracy"),
                numbers=("optimizers.sgd-over-ada",),
            ),
            Contrast(
                "the same with the rate 0.1 for all, as section 2.2 may mean",
                "section 2.1.2",
                Term(_labels(_SGD), "val_accuracy"),
                Term(_labels(_ALL_0_1), "val_accuracy"),
                numbers=("optimizers.sgd-over-ada",),
            ),
            Contrast(
                "over-fitting is more serious with the SGD family",
                "section 2.1.2",
                Term(_labels(_SGD), "train_accuracy", minus="val_accuracy"),
                Term(_labels(_ADA), "train_accuracy", minus="val_accuracy"),
            ),
            *(
                Contrast(
                    f"both optimizers of a family end alike ({family})",
                    "section 2.1.2",
                    Term(_labels((first,)), "val_accuracy"),
                    Term(_labels((second,)), "val_accuracy"),
                    "no difference",
                )
                for family, (first, second) in (("SGD", _SGD), ("Ada", _ADA))
            ),
            Contrast(
                "the deeper the more accurate (ResNet48 above ResNet10)",
                "section 2.1.2",
                Term(_labels((*_SGD, *_ADA), ("resnet48",)), "val_accuracy"),
                Term(_labels((*_SGD, *_ADA), ("resnet10",)), "val_accuracy"),
            ),
            Contrast(
                "yet ResNet24 is the optimal model (above ResNet48)",
                "section 2.1.2",
                Term((_optimizer_label("resnet24", "nesterov"),), "val_accuracy"),
                Term((_optimizer_label("resnet48", "nesterov"),), "val_accuracy"),
            ),
        ),
        assumptions=(*RECIPE, "Adagrad at 0.01, Adadelta at 1.0; also both at 0.1"),
        compare="none",
        logged_train_accuracy=True,
    ),
    Item(
        name="convergence",
        report=REPORT,
        title="Twice as long with half the decay (section 2.1.2)",
        claim="all models have converged at around the 35th epoch",
        variants=(
            Variant("50 epochs, γ = 0.9", "resnet24"),
            Variant("100 epochs, γ = 0.95", "resnet24-long"),
        ),
        figures=("accuracy-curves", "learning-rate"),
        contrasts=(
            Contrast(
                "converged: a rate that falls half as fast over twice the epochs gains nothing (our check)",
                "section 2.1.2",
                Term(("100 epochs, γ = 0.95",)),
                Term(("50 epochs, γ = 0.9",)),
                kind="no difference",
            ),
        ),
        assumptions=RECIPE,
    ),
    Item(
        name="schedules",
        report=REPORT,
        title="Learning-rate schedules (figure 5)",
        claim="exponential decay converges faster and more steadily than the others",
        variants=(
            Variant("exponential, γ = 0.9", "resnet24"),
            Variant("step, × 0.1 every 20", "resnet24-step"),
            Variant("cosine, restarts every 20", "resnet24-cosine"),
            Variant("on plateau, × 0.5", "resnet24-plateau"),
        ),
        figures=("learning-rate", "accuracy-curves", "loss-curves"),
        contrasts=tuple(
            Contrast(
                f"exponential decay converges faster ({other}), at two fifths of the run",
                "section 2.1.3",
                Term(("exponential, γ = 0.9",), "val_accuracy", within=0.4),
                Term((other,), "val_accuracy", within=0.4),
            )
            for other in ("step, × 0.1 every 20", "cosine, restarts every 20", "on plateau, × 0.5")
        ),
        assumptions=RECIPE,
    ),
    Item(
        name="penalties",
        report=REPORT,
        title="Loss with L1 and L2 penalties (figure 6)",
        claim="L1 converges slowly; the report goes on with L2 at 0.001",
        variants=_penalties(),
        figures=("loss-curves", "train-loss-curves", "accuracy-curves"),
        contrasts=tuple(
            Contrast(
                f"the accuracy with L1 converges slowly, strength {strength}, at a fifth of the run",
                "section 2.1.4",
                Term((f"L2 · {strength}",), "val_accuracy", within=0.2),
                Term((f"L1 · {strength}",), "val_accuracy", within=0.2),
            )
            for strength in STRENGTHS
        ),
        assumptions=(
            *RECIPE,
            "strengths 1e-2 to 1e-5 on the weights; no weight decay beside a penalty",
            "L2 of strength s has the gradient of a weight decay of 2s",
        ),
        compare="none",
    ),
    Item(
        name="activation-functions",
        report=REPORT,
        title="Curves of the activation functions (figure 7)",
        claim="ReLU, ReLU6, leaky ReLU, ELU and Swish",
        figures=("activation-functions",),
        compare="none",
        trained=False,
    ),
    Item(
        name="activations",
        report=REPORT,
        title="Accuracy with five activation functions (figure 8)",
        claim="no activation beats ReLU; the others cost more time and are less sparse",
        variants=(
            Variant("relu", "resnet24"),
            *(Variant(activation, f"resnet24-{activation}") for activation in ACTIVATIONS),
        ),
        figures=("accuracy-curves", "activation-zeros"),
        contrasts=_beats_others(
            "no function performs better than ReLU", "section 2.1.5", "relu", ACTIVATIONS
        ),
        assumptions=RECIPE,
        measures=("zero_activations",),
    ),
    Item(
        name="orders",
        report=REPORT,
        title="Sequences of the residual block (figure 9)",
        claim="a little different, the original structure is the best",
        variants=(
            Variant("original", "resnet24"),
            *(Variant(order, f"resnet24-{order}") for order in ORDERS),
        ),
        figures=("accuracy-curves",),
        contrasts=_beats_others(
            "the original structure has the best accuracy", "section 2.1.6", "original", ORDERS
        ),
        assumptions=(
            *RECIPE,
            "the five orders of He et al. 2016; (a), (c) and (d) keep BN behind every convolution, as the"
            " report says that it always does",
        ),
    ),
)
