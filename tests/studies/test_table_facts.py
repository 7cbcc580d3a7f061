"""Each kind of fact on its own: what its rules find, and what they let pass."""

import json
from typing import Any

from cifarlab.studies.table_check.document import from_text


def checked(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(each.rule, each.where) for each in from_text(json.dumps(document), "a test").findings()]


def found_in(**fields: Any) -> list[str]:
    """The rules that find something in one fact."""
    return [rule for rule, _ in checked({"facts": [{"where": "here", **fields}]})]


def confusion(**fields: Any) -> list[str]:
    return found_in(type="ConfusionMatrix", **{"counts": [[8, 2], [1, 9]], **fields})


def test_confusion_matrices() -> None:
    assert confusion() == confusion(accuracy=85.0, images_per_class=10, images=20) == []
    assert confusion(accuracy=85) == confusion(accuracy="85.00 %") == []
    assert confusion(accuracy=85.1) == ["trace"]
    assert confusion(images_per_class=11) == ["row-sum", "row-sum"]
    assert confusion(images=21) == ["row-sum"]
    assert confusion(counts=[[0, 0], [0, 0]]) == ["row-sum"]
    # Nothing is stated, but one class alone has another size.
    odd = [[10, 0, 0, 0], [1, 9, 0, 0], [0, 0, 10, 0], [0, 0, 1, 8]]
    assert confusion(counts=odd) == ["row-sum"]
    # Columns sum to 11, 9, 11, 8: nothing to see where they stand for the true classes.
    assert confusion(counts=odd, rows="predicted") == []
    assert confusion(counts=[[8, 1], [2, 9]], images_per_class=10, rows="predicted") == []


def test_accuracies_and_the_counts_behind_them() -> None:
    assert found_in(type="Accuracies", values=[92.01, 0, 100, "95.000"], images=10_000) == []
    assert found_in(type="Accuracies", values=[100.01, -0.1]) == ["range", "range"]
    # 1/8 = 12.5, 2/8 = 25 %: 12.4 and 13 are no eighths, but 12 and 13 may be 12.5 rounded either way.
    assert found_in(type="Accuracies", values=[12.5, 12, 13], images=8) == []
    assert found_in(type="Accuracies", values=[12.4, 14], images=8) == ["count", "count"]
    assert found_in(type="Accuracies", values=[95.001], images=11_000) == ["count"]


def test_class_means() -> None:
    assert found_in(type="ClassAccuracies", accuracy=75.0, classes=[70.0, 80.0]) == []
    assert found_in(type="ClassAccuracies", accuracy=75.2, classes=[70.0, 80.0]) == ["class-mean"]
    assert found_in(type="ClassAccuracies", accuracy=75.1, classes=[70.0, 80.0]) == []  # rounding
    assert found_in(type="ClassAccuracies", accuracy=77.5, classes=[70.0, 80.0], images=[1, 3]) == []
    assert found_in(type="ClassAccuracies", accuracy=75.0, classes=[70.0, 80.0], images=[1, 3]) == [
        "class-mean"
    ]


def test_results_in_the_wrong_mode() -> None:
    def mode(train: float, validation: float, test: float, **more: Any) -> list[str]:
        return found_in(type="Results", train=train, validation=validation, test=test, **more)

    assert mode(95.0, 90.0, 89.6) == []
    assert mode(80.0, 85.0, 84.8) == ["mode", "mode"]
    assert mode(80.0, 85.0, 84.8, training_images_were="augmented") == []
    assert mode(95.0, 90.0, 84.0) == ["mode"]
    assert mode(95.0, 90.0, 84.0, validation_images=100, test_images=100) == []  # chance can do this
    assert mode(84.9, 85.0, 85.0) == []


def test_rankings() -> None:
    def rank(*accuracies: float, images: int = 10_000) -> list[str]:
        return found_in(type="Ranking", images=images, accuracies=accuracies)

    assert rank(95.0, 90.0, 94.9) == ["ranking"]
    assert rank(95.0, 90.0, 94.0) == []
    assert rank(95.0, 94.0, images=1000) == ["ranking"]


def test_choices_and_sums() -> None:
    assert found_in(type="Choices", probabilities=[0.7, 0.2, 0.1], alternatives=[0, 30, 60]) == []
    assert found_in(type="Choices", probabilities=[0.7, 0.2, 0.2]) == ["sum"]
    assert found_in(type="Choices", probabilities=[1.5, -0.5]) == ["range", "range"]
    assert found_in(type="Choices", alternatives=["a", "b", "a"]) == ["duplicate"]
    assert found_in(type="Parts", parts=["389,258", "7,552"], whole="396,810") == []
    assert found_in(type="Parts", parts=["389,258", "7,552"], whole="396,811") == ["sum"]
    assert found_in(type="Parts", parts=[33.3, 33.3, 33.3], whole=100.0) == []
    assert found_in(type="Parts", parts=[33, 33, 33], whole=100) == []
    assert found_in(type="Parts", parts=[33, 33, 31], whole=100) == ["sum"]
    assert found_in(type="Product", factors=[33, 250], product=8250) == []
    assert found_in(type="Product", factors=[33, 250], product=8150) == ["product"]
    assert found_in(type="Product", factors=["2.3", 3600], product=8250) == []


def test_changes() -> None:
    def change(before: Any, after: Any, stated: Any, **more: Any) -> list[str]:
        return found_in(type="Change", before=before, after=after, stated=stated, **more)

    assert change("11.5 M", "6.8 M", 40) == []  # 40.2 to 41.6 % with all that the digits leave open
    assert change("11.5 M", "6.8 M", 45) == ["change"]
    assert change(5, 1, 80) == []
    assert change(5, 1, 75) == ["change"]
    assert change(4, 5, 25, measure="percent gained") == []
    assert change(4, 5, 20, measure="percent gained") == ["change"]
    assert change(4, 8, 2, measure="times") == []
    assert change(89.3, 90.0, 1, measure="difference", says="less than") == []
    assert change(88.0, 90.0, 1, measure="difference", says="less than") == ["change"]
    assert change(88.0, 90.0, 1, measure="difference", says="more than") == []
    assert change(89.6, 90.0, 1, measure="difference", says="more than") == ["change"]


def test_improvements_and_statements() -> None:
    assert found_in(type="Improvement", before=73.52, after=72.92) == ["improvement"]
    assert found_in(type="Improvement", before=73.52, after=73.52) == ["improvement"]
    assert found_in(type="Improvement", before=0.5, after=0.4, better="lower") == []

    def both(one: Any, other: Any) -> list[str]:
        statements = [{"where": "here", "says": one}, {"where": "there", "says": other}]
        return found_in(type="Statements", statements=statements)

    assert both("Adam", "adam") == both(6.8, 6.83) == both("10,000", 10000) == []
    assert both("Adam", "SGD") == both(6.8, 6.86) == both(5000, 10000) == ["statements"]


def test_sweeps() -> None:
    def sweep(first: list[int], second: list[int], **more: Any) -> list[str]:
        return found_in(type="Sweep", at=[1, 2, 3, 4], first=first, second=second, **more)

    assert sweep([70, 80, 85, 90], [60, 65, 70, 75]) == []
    assert sweep([70, 65, 85, 90], [60, 80, 70, 75]) == ["swapped"]
    assert sweep([70, 69, 85, 90], [60, 65, 70, 75]) == []  # not monotone, and no swap mends it
    assert sweep([95, 90, 85, 80], [60, 65, 70, 75]) == []  # either way is monotone
    first, second = [70, 80, 85, 90], [60, 65, 70, 75]
    assert sweep(first, second, conditions=["a", "a", "b", "a"]) == ["conditions"]
    assert sweep(first, second, conditions=["a", "a", "b", "b"]) == []


def test_progressions_and_spent_rates() -> None:
    def rates(*values: float, **more: Any) -> list[str]:
        return found_in(type="Progression", values=values, **more)

    assert rates(0.1, 0.01, 0.001, direction="falling", factor=0.1) == []
    assert rates(0.1, 0.1, 0.01, direction="falling") == []
    assert rates(0.01, 0.005, 0.025, direction="falling") == ["progression"]
    assert rates(0.001, 0.0005, 0.0001, factor=0.5) == ["progression"]
    assert rates(0.3, 0.2, direction="rising") == ["progression"]
    assert rates(5, 4, 3, step=-1) == []
    assert rates(5, 4, 2, step=-1) == ["progression"]
    assert found_in(type="Convergence", epoch=35, factor=0.95) == []
    assert found_in(type="Convergence", epoch=35, factor=0.9) == ["spent"]


def test_networks_and_layers() -> None:
    for stated in ("396,810", "389,258", "0.397 M", "397k"):
        assert found_in(type="Network", network="tiny-attention", parameters=stated) == [], stated
    assert found_in(type="Network", network="tiny-attention", parameters="396,811") == ["parameters"]
    assert found_in(type="Network", network="resnet18", parameters="11,174,988", classes=12) == []
    assert found_in(type="Network", network="resnet18", parameters="11,174,988") == ["parameters"]
    assert found_in(type="WiderNetwork", base="396,810", times=4, parameters="6.3 M") == []
    assert found_in(type="WiderNetwork", base="396,810", times=4, parameters="6.5 M") == ["width"]

    def layers(*rows: dict[str, Any], **more: Any) -> list[str]:
        return found_in(type="Layers", layers=rows, **more)

    conv = {"kind": "conv", "inputs": 3, "outputs": 8, "kernel": 3, "output": [32, 32, 8]}
    norm = {"kind": "batch-norm", "output": [32, 32, 8]}
    assert layers(conv, norm, parameters=3 * 8 * 9 + 8 + 16) == []
    assert layers({**conv, "bias": False}, norm, parameters=3 * 8 * 9 + 16) == []
    assert layers(conv, norm, parameters=3 * 8 * 9 + 8) == ["parameters"]
    for kind in ("batch-norm", "activation", "dropout"):
        assert layers(conv, {"kind": kind, "output": [16, 16, 8]}) == ["shape"]
    assert layers(conv, {"kind": "max-pool", "output": [16, 16, 8]}) == []
    assert layers(conv, {"kind": "max-pool", "output": [16, 16, 9]}) == ["shape"]
    assert layers(conv, {**conv, "inputs": 9}) == ["shape"]
    assert layers({**conv, "output": [32, 32, 9]}) == ["shape"]
    assert layers(conv, {"kind": "flatten", "output": [8192]}, {"kind": "linear", "inputs": 8192}) == []
    assert layers(conv, {"kind": "flatten", "output": [8191]}) == ["shape"]
    assert layers(conv, {"kind": "linear", "inputs": 4096, "outputs": 10}) == ["shape"]
    # A layer that is not known leaves the sum open.
    assert layers(conv, {"kind": "other"}, parameters=1) == []


def test_data_sets() -> None:
    assert found_in(type="DataSet", name="cifar10", train=50_000, test=10_000) == []
    assert found_in(type="DataSet", name="cifar10", train=60_000, test=5_000) == ["data-set", "data-set"]
