"""The stages of a recipe's augmentation, as report 002's figure 10 shows them, for the page of a study."""

import struct

from cifarlab.data.holdout import one_of_each_class
from cifarlab.data.sources import open_source
from cifarlab.recipe import Recipe
from cifarlab.report.lab.drawn import Finished
from cifarlab.report.lab.material import Material
from cifarlab.report.stages import stages_of, stages_picture

IMAGES = 4
DOTS_PER_CSS_PIXEL = 160 / 96


def stages_drawing(material: Material) -> tuple[Finished, ...]:
    """What the first of the recipes that do most to their images does to a few of them.

    Raises:
        UserError: the data cannot be read.
    """
    row = max(material.table.rows, key=lambda row: _stages(material.recipe(row)))
    source = open_source(material.table.data)
    split = source.read_train()
    seed = min(material.table.seeds, default=0)
    chosen = one_of_each_class(split.labels, min(IMAGES, len(split)), seed)
    stages = stages_of(material.recipe(row), split, chosen, seed, 0)
    title = f"{row.label} on {source.description.name}, seed {seed}, first epoch"
    contents = {suffix: stages_picture(stages, title, suffix) for suffix in ("svg", "png")}
    width, height = struct.unpack(">II", contents["png"][16:24])  # of the PNG's header
    caption = f"What {row.label} does to training images, stage by stage."
    text = f"{len(chosen)} training images after {', '.join(stage.name for stage in stages)}."
    size = (round(width / DOTS_PER_CSS_PIXEL), round(height / DOTS_PER_CSS_PIXEL))
    return (Finished("stages", caption, text, contents, *size),)


def _stages(recipe: Recipe) -> int:
    return len(recipe.augment) + (recipe.mix is not None)
