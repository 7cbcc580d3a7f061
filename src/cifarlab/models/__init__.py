"""Networks: one file per family, each with its config beside it."""

from cifarlab.models.plain_cnn import PlainCnn

Model = PlainCnn
"""The union of all model configs is the registry."""

CATALOG: dict[str, tuple[str, Model]] = {
    "plain-cnn": ("cnn-to-shake-shake", PlainCnn()),
    "plain-cnn-regularized": (
        "cnn-to-shake-shake",
        PlainCnn(batch_norm=True, dropout=(0.2, 0.3, 0.4)),
    ),
}
"""The networks that the reports name: name to (report, config)."""

__all__ = ["CATALOG", "Model", "PlainCnn"]
