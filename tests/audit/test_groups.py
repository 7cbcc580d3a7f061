"""Groups of duplicates, and the test images that are left out for them."""

from cifarlab.audit.duplicates import Kind, Pair
from cifarlab.audit.groups import Exclusion, exclusions, group_of_each, groups


def pair(first: int, second: int, kind: Kind = "near", pixels: float = 0.9) -> Pair:
    return Pair(first, second, kind, False, pixels, 0.8, 0.9)


def test_groups_are_connected_components_the_largest_first() -> None:
    pairs = [pair(0, 5), pair(5, 7), pair(2, 3), pair(1, 7)]
    assert groups(pairs, 9) == [[0, 1, 5, 7], [2, 3]]
    numbers = group_of_each(pairs, 9)
    assert len(numbers) == 9
    assert len(set(numbers)) == 5
    assert numbers[0] == numbers[7] != numbers[2]


def test_without_pairs_everyone_is_alone() -> None:
    assert groups([], 3) == []
    assert len(set(group_of_each([], 3))) == 3


# Images 0 to 9 are the training set, 10 and above the test set.


def test_a_test_image_that_repeats_a_training_image_goes_with_its_closest_partner() -> None:
    pairs = [pair(1, 12, pixels=0.9), pair(4, 12, pixels=0.97), pair(3, 11, "mirrored")]
    assert exclusions(pairs, 10, 20) == [Exclusion(11, 3, "mirrored"), Exclusion(12, 4, "near")]


def test_pairs_within_the_training_set_leave_nothing_out() -> None:
    assert exclusions([pair(1, 2), pair(2, 3, "exact")], 10, 20) == []


def test_of_test_images_that_repeat_each_other_the_first_stays() -> None:
    pairs = [pair(11, 14), pair(14, 16), pair(12, 13, "exact")]
    assert exclusions(pairs, 10, 20) == [
        Exclusion(13, 12, "exact"),
        Exclusion(14, 11, "near"),
        Exclusion(16, 11, "near"),
    ]


def test_to_be_linked_to_a_training_image_through_a_third_is_not_enough() -> None:
    assert exclusions([pair(2, 12), pair(11, 12)], 10, 20) == [Exclusion(12, 2, "near")]


def test_exact_copies_of_a_near_duplicate_go_too() -> None:
    pairs = [pair(2, 12), pair(12, 15, "exact"), pair(12, 17, "exact")]
    assert exclusions(pairs, 10, 20) == [
        Exclusion(12, 2, "near"),
        Exclusion(15, 2, "near"),
        Exclusion(17, 2, "near"),
    ]
