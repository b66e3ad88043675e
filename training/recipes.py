"""The models that these scripts make, and how."""

from dataclasses import dataclass, replace

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
    # The stages of training, each from the last step of the one before it to its own `steps`.
    stages: tuple[Settings, ...]
    # Training of the hidden states of the layers that are left; None if all layers are left.
    distillation: Settings | None = None
    # Whether the last layer is fitted to the targets first, because the model that training starts from was calibrated.
    fit_logits: bool = False
    # The number of last stages whose averaged weights the exported mean has (Wortsman et al., 2022, arXiv:2203.05482).
    averaged_stages: int = 1
    # The share of the weights that training starts from in that mean (Wortsman et al., 2022, arXiv:2109.01903).
    start_share: float = 0.0


# Without short documents, and without WikiQA's development set, which is in the report of models that leave it out.
WITHOUT_SHORT = {"sentences": 0, "written": 0, "wikiqa-dev": 0}
# Collections with few queries are seen more often.
REPEAT = {**WITHOUT_SHORT, "dl22": 6}
# More questions whose answer is one sentence. TRIED.md has the lists of each stage.
QA_REPEAT = {**WITHOUT_SHORT, "dl22": 16, "wikiqa": 20, "xquad": 4}
# Short documents too.
SHORT_REPEAT = {"dl22": 16, "wikiqa": 10, "wikiqa-dev": 10, "xquad": 2, "sentences": 2, "written": 0}
# The written questions, and enough of the others to keep what the model can do.
WRITTEN_REPEAT = {"dl22": 20, "wikiqa": 6, "made": 0.2, "sentences": 0.5, "scifact": 0.5}
# The first and second stages of the refined default model. The third had more topics.
DEFAULT_REFINED = Settings(
    steps=3300,
    cooldown=1600,
    learning_rate=8e-5,
    micro_batch=32,
    average=0.998,
    repeat={**WRITTEN_REPEAT, "wikiqa-dev": 6},
)
DEFAULT_REFINED_2 = replace(DEFAULT_REFINED, steps=7150, cooldown=1550, learning_rate=1.2e-4, lists=16)

RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="small",
            layers=(0, 2, 4),
            vocabulary=20_000,
            embeddings="q4",
            dtype="q4",
            stages=(
                Settings(steps=10600, cooldown=2200, learning_rate=1.5e-4, lists=4, repeat=REPEAT),
                Settings(steps=11300, cooldown=700, learning_rate=1.0e-4, lists=4, repeat=QA_REPEAT),
            ),
            distillation=Settings(
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
        Recipe(
            name="default",
            layers=(0, 1, 2, 3, 4, 5),
            vocabulary=None,
            embeddings="",
            dtype="q8",
            stages=(
                Settings(steps=3000, cooldown=900, learning_rate=7e-5, lists=4, repeat=REPEAT),
                Settings(steps=3420, cooldown=420, learning_rate=5e-5, lists=4, repeat=QA_REPEAT),
                Settings(steps=5300, cooldown=800, learning_rate=7e-5, lists=4, repeat=SHORT_REPEAT),
            ),
            start_share=0.3,
        ),
        # These two start from the models above: `--start` is their folder.
        Recipe(
            name="small-refined",
            layers=(0, 1, 2),
            vocabulary=None,
            embeddings="",
            dtype="q4",
            stages=(
                Settings(
                    steps=7200,
                    cooldown=3400,
                    learning_rate=2e-4,
                    head_learning_rate=3e-4,
                    micro_batch=32,
                    rounding="q4",
                    average=0.998,
                    repeat={**WRITTEN_REPEAT, "wikiqa-dev": 0},
                ),
            ),
            fit_logits=True,
            start_share=0.3,
        ),
        Recipe(
            name="default-refined",
            layers=(0, 1, 2, 3, 4, 5),
            vocabulary=None,
            embeddings="",
            dtype="q8",
            stages=(DEFAULT_REFINED, DEFAULT_REFINED_2, replace(DEFAULT_REFINED_2, steps=11200, cooldown=1700)),
            fit_logits=True,
            averaged_stages=2,
            start_share=0.15,
        ),
    )
}
