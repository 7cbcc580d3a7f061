"""Duplicates: what is planted is found, what merely looks alike is not."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from audit.planted import TRANSFORMS, Transform, pictures
from cifarlab.audit import candidates
from cifarlab.audit.duplicates import Duplicates, Thresholds, find_duplicates
from cifarlab.audit.similarity import correlation, overlap, thumbnails
from cifarlab.errors import Stopped

MIRRORED_TOO = {"gradients": -1.0, "mirrored_gradients": -1.0}


def never() -> None:
    pass


def find(train: Tensor, test: Tensor) -> Duplicates:
    return find_duplicates(train, test, Thresholds(), never)


def among(found: Duplicates) -> set[tuple[int, int]]:
    return {(pair.first, pair.second) for pair in found.pairs}


@pytest.mark.parametrize("transform", TRANSFORMS.values(), ids=list(TRANSFORMS))
def test_planted_near_duplicates_are_found_and_nothing_else(transform: Transform) -> None:
    train = pictures(150, seed=1)
    planted = transform(train[:60])
    found = find(train, torch.cat([planted, pictures(40, seed=2)]))
    wanted = {(index, 150 + index) for index in range(60)}
    assert len(among(found) & wanted) >= 54
    assert among(found) <= wanted
    assert {pair.kind for pair in found.pairs} == {"near"}


def test_a_mirrored_near_duplicate_is_called_so() -> None:
    train = pictures(20, seed=1)
    found = find(train, torch.cat([TRANSFORMS["mirror"](train[:4]), TRANSFORMS["shift"](train[4:8])]))
    assert [pair.mirrored for pair in found.pairs] == [True] * 4 + [False] * 4


def test_equal_pixels_are_exact_and_paired_with_the_first_alone() -> None:
    images = pictures(6, seed=3)
    found = find(torch.cat([images, images[2:3], images[2:3]]), images[2:3])
    assert [(pair.first, pair.second, pair.kind) for pair in found.pairs] == [
        (2, 6, "exact"),
        (2, 7, "exact"),
        (2, 8, "exact"),
    ]


def test_mirrored_pixels_are_mirrored_and_a_symmetric_picture_does_not_mirror_itself() -> None:
    images = pictures(4, seed=4)
    symmetric = torch.maximum(images[3:], images[3:].flip(3))
    found = find(torch.cat([images[:3], symmetric]), images[1:2].flip(3))
    assert [(pair.first, pair.second, pair.kind, pair.mirrored) for pair in found.pairs] == [
        (1, 4, "mirrored", True)
    ]


def horizons(count: int) -> Tensor:
    """Bright above, dark below, and a few small things, each time others, on the line."""
    random = torch.Generator().manual_seed(5)
    images = torch.full((count, 3, 32, 32), 190.0)
    images[:, :, 16:] = 90.0
    for image in images:
        for _ in range(4):
            left, top, width = (
                int(torch.randint(least, most, (1,), generator=random))
                for least, most in ((0, 28), (9, 15), (2, 6))
            )
            image[:, top:17, left : left + width] = 160 * torch.rand(3, 1, 1, generator=random)
    return (images + 3 * torch.randn(images.shape, generator=random)).clamp(0, 255).to(torch.uint8)


def test_horizons_are_not_taken_for_each_other() -> None:
    images = horizons(12)  # too few for a background: the witnesses alone must tell
    plain = correlation(images[:1].float().expand(11, -1, -1, -1), images[1:].float())
    assert float(plain.min()) > 0.6  # alike by correlation alone
    assert find(images, pictures(1, seed=6)).pairs == ()
    fooled = Thresholds(structure=-1.0, **MIRRORED_TOO)
    assert len(find_duplicates(images, images[:1], fooled, never).pairs) > 5


def same_line_other_ships() -> Tensor:
    """Two pictures with one strong edge in common, and little else."""
    images = torch.full((2, 3, 32, 32), 200.0)
    images[:, :, 16:] = 60.0
    images[0, :, 13:16, 4:10] = torch.tensor([150.0, 160.0, 170.0])[:, None, None]
    images[1, :, 13:16, 14:18] = torch.tensor([160.0, 150.0, 150.0])[:, None, None]
    return images.to(torch.uint8)


def same_shape_other_texture() -> Tensor:
    """Two pictures with large patches in common, and finely grained each in its own way."""
    line = torch.linspace(0, 6, 32)
    patches = 60 * torch.sin(line)[:, None] * torch.cos(line + 0.5)
    grain = 10 * torch.randn(2, 1, 32, 32, generator=torch.Generator().manual_seed(3))
    return (128 + patches + grain).expand(-1, 3, -1, -1).clamp(0, 255).to(torch.uint8)


@pytest.mark.parametrize(
    ("images", "witness"),
    [(same_line_other_ships(), "structure"), (same_shape_other_texture(), "gradients")],
    ids=["structure", "gradients"],
)
def test_each_witness_is_needed(images: Tensor, witness: str) -> None:
    assert find(images[:1], images[1:]).pairs == ()
    without = replace(Thresholds(), **{witness: -1.0})
    assert among(find_duplicates(images[:1], images[1:], without, never)) == {(0, 1)}


def test_a_mirrored_pair_needs_more_than_one_that_is_not() -> None:
    image = same_shape_other_texture()[:1]
    noise = 17 * torch.randn(image.shape, generator=torch.Generator().manual_seed(4))
    noisy = (image.float() + noise).clamp(0, 255).to(torch.uint8)
    found = find(image, noisy)
    assert among(found) == {(0, 1)}
    assert Thresholds().gradients < found.pairs[0].gradients < Thresholds().mirrored_gradients
    assert find(image, noisy.flip(3)).pairs == ()


def test_flat_pictures_are_compared_by_their_bytes_alone() -> None:
    random = torch.Generator().manual_seed(6)
    flat = (128 + torch.randn(8, 3, 32, 32, generator=random)).to(torch.uint8)
    ramp = flat + torch.linspace(0, 9, 32).to(torch.uint8)  # alike, but hardly more than noise
    found = find(ramp, torch.cat([ramp[:1], pictures(3, seed=1)]))
    assert among(found) == {(0, 8)}
    assert found.flat_images == 9


def of_one_kind(count: int, noise: float) -> Tensor:
    """Variations of a single picture, as digits are."""
    base = pictures(1, seed=8).float()
    detail = pictures(count, seed=9).float() - 128
    return (base + noise * detail).clamp(0, 255).to(torch.uint8)


def test_where_all_pictures_are_alike_a_pair_must_stand_out(monkeypatch: pytest.MonkeyPatch) -> None:
    images = of_one_kind(66, noise=0.4)
    copies = (images[:5].int() + 2).clamp(0, 255).to(torch.uint8)
    wanted = {(index, 66 + index) for index in range(5)}
    assert among(find(images, copies)) == wanted
    monkeypatch.setattr(candidates, "LEAST_IMAGES", 1000)
    assert len(among(find(images, copies))) > 300


@pytest.mark.parametrize("size", [8, 32, 50, 96])
def test_every_image_size_works(size: int) -> None:
    train = pictures(12, seed=11, size=size)
    near = (train[:3].float() * 0.9 + 10).to(torch.uint8)
    assert among(find(train, near)) == {(0, 12), (1, 13), (2, 14)}


def test_plain_pictures_alone_are_compared_by_their_bytes() -> None:
    plain = torch.arange(4, dtype=torch.uint8)[:, None, None, None].expand(-1, 3, 32, 32).contiguous()
    assert among(find(plain, plain[2:3])) == {(2, 4)}


def test_one_image_in_each_half_is_enough() -> None:
    images = pictures(2, seed=12)
    assert find(images[:1], images[1:]).pairs == ()
    assert among(find(images[:1], images[:1])) == {(0, 1)}


def test_the_number_of_candidates_is_bounded_where_all_are_alike() -> None:
    images = of_one_kind(400, noise=0.05)
    found = candidates.candidate_pairs(images, 0.5, never)
    assert len(found.pairs) <= 400 * candidates.LIMIT * 2
    assert len(found.pairs) > 100 * candidates.LIMIT


def test_candidates_across_blocks_are_those_of_a_plain_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "LIMIT", 300)
    monkeypatch.setattr(candidates, "_ROWS", 64)
    monkeypatch.setattr(candidates, "_COLUMNS", 100)
    images = pictures(300, seed=13)
    found = candidates.candidate_pairs(images, 0.5, never)
    reference = torch.full((300, 300), -1.0)
    middle = candidates.features(images)
    for down in (-2, 0, 2):
        for right in (-2, 0, 2):
            reference = torch.maximum(reference, middle @ candidates.features(images, down, right).T)
    wanted = (reference.triu(1) > 0.5).nonzero()
    assert len(wanted) > 10
    assert torch.equal(found.pairs[~found.mirrored], wanted)


def test_overlap_lays_the_second_picture_where_it_is_said() -> None:
    images = pictures(1, seed=14).float()
    moved = images.roll((2, -3), (2, 3))
    first, second = overlap(moved, images, 2, -3)
    assert first.shape == (1, 3, 30, 29)
    assert torch.equal(first, second)


def test_equal_pictures_have_equal_thumbnails() -> None:
    for size in (9, 64):
        images = pictures(2, seed=15, size=size)
        assert torch.equal(thumbnails(images), thumbnails(images.clone()))
        assert thumbnails(images).shape == (2, 3, 32, 32)


def test_it_stops_when_asked() -> None:
    def stop() -> None:
        raise Stopped("stopped by a test")

    with pytest.raises(Stopped):
        find_duplicates(pictures(4, seed=1), pictures(4, seed=2), Thresholds(), stop)
