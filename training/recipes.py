"""The models that these scripts make, and how."""

from dataclasses import dataclass

from train.loop import Settings


@dataclass(frozen=True)
class Recipe:
    """A model: the layers that it starts from, its vocabulary, its training and its file."""

    name: str
    layers: tuple[int, ...]
    # The number of entries; None keeps all.
    vocabulary: int | None
    # Rounding of the word embeddings before training, because training leaves them as they are.
    embeddings: str
    dtype: str
    settings: Settings
    # Training of the hidden states of the layers that are left; None if all layers are left.
    distillation: Settings | None = None


# Collections with few queries are seen more often.
REPEAT = {"dl22": 6}
# The last stage of training, with questions whose answer is one sentence. TRIED.md has the stages before.
QA_REPEAT = {"dl22": 16, "wikiqa": 20, "xquad": 4}

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            "small",
            (0, 2, 4),
            20_000,
            "q4",
            "q4",
            Settings(steps=11300, cooldown=700, learning_rate=1.0e-4, lists=4, repeat=QA_REPEAT),
            Settings(
                steps=400,
                warmup=30,
                cooldown=200,
                learning_rate=3e-4,
                head_learning_rate=3e-4,
                lists=4,
                max_length=128,
                average=0.98,
                repeat=REPEAT,
            ),
        ),
        Recipe("default", (0, 1, 2, 3, 4, 5), None, "", "q8", Settings(steps=3420, cooldown=420, learning_rate=5e-5, lists=4, repeat=QA_REPEAT)),
    )
}
