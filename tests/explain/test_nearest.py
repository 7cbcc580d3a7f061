"""The nearest training images: by brute force, and each image is its own nearest."""

import torch
from torch import nn
from torch.nn import functional as F

from cifarlab.augment import Normalize
from cifarlab.data.batches import on_device, whole
from cifarlab.explain.features import features_of
from cifarlab.explain.nearest import TrainingIndex
from cifarlab.models.centered import CenteredNetwork
from models.narrow import NARROW
from support import synthetic_split

SPLIT = synthetic_split(40, seed=1)
NORMALIZE = Normalize()


def _network() -> nn.Module:
    torch.manual_seed(0)
    return NARROW["narrow plain-cnn-regularized"].build(3, 8)


def test_features_are_what_the_last_layer_sees() -> None:
    network = _network().eval()
    images = NORMALIZE.apply(SPLIT.images)
    features = features_of(network.train(), images)
    assert network.training
    classifier = network.get_submodule("classifier")
    assert torch.allclose(classifier(features), network.eval()(images), atol=1e-6)
    centered = CenteredNetwork(network, 8)
    assert torch.equal(features_of(centered, images), features)


def test_an_image_is_its_own_nearest() -> None:
    index = TrainingIndex.build(_network(), whole(SPLIT, torch.device("cpu")), NORMALIZE)
    places, similarities = index.nearest(NORMALIZE.apply(SPLIT.images), 1)
    assert places[:, 0].tolist() == list(range(40))
    assert torch.allclose(similarities, torch.ones(40, 1), atol=1e-5)
    assert similarities.max() <= 1


def test_nearest_by_brute_force_and_in_a_part_of_the_split() -> None:
    network = _network().eval()
    part = torch.tensor([31, 4, 17, 8, 25, 12])
    index = TrainingIndex.build(network, on_device(SPLIT, [part], torch.device("cpu"))[0], NORMALIZE)
    images = NORMALIZE.apply(synthetic_split(5, seed=9).images)
    places, similarities = index.nearest(images, 3)
    assert places.shape == similarities.shape == (5, 3)
    training = features_of(network, NORMALIZE.apply(SPLIT.images))
    for row, query in enumerate(features_of(network, images)):
        cosines = {
            place: float(F.cosine_similarity(query, training[place], dim=0)) for place in part.tolist()
        }
        expected = sorted(cosines, key=lambda place: -cosines[place])[:3]
        assert places[row].tolist() == expected
        assert torch.allclose(
            similarities[row], torch.tensor([cosines[each] for each in expected]), atol=1e-5
        )
    assert index.nearest(images, 99)[0].shape == (5, 6)


def test_equal_images_come_in_their_order() -> None:
    twice = SPLIT.select(torch.tensor([5, 7, 5, 7, 5]))
    index = TrainingIndex.build(_network(), whole(twice, torch.device("cpu")), NORMALIZE)
    assert index.nearest(NORMALIZE.apply(SPLIT.images[5:6]), 3)[0].tolist() == [[0, 2, 4]]
