"""Define the presets, the recipes that a training starts from."""

from pydantic import BaseModel, ConfigDict

from app.recipes.recipe import AnyRecipe, Kind, SeriesRecipe, TextRecipe


class Preset(BaseModel):
    """A recipe with a name and a reason."""

    model_config = ConfigDict(frozen=True)

    name: str
    kind: Kind
    summary: str
    recipe: AnyRecipe


_DEFAULT_OF_SERIES = SeriesRecipe(
    preset="default",
    cell="lstm",
    layers=(32,),
    activation="tanh",
    window=None,
    horizon=None,
    features=None,
    scaling="window",
    anchor="auto",
    loss="huber",
    optimizer="adam",
    learning_rate=0.001,
    batch_size=32,
    epochs=60,
    epoch_examples=20_000,
    early_stopping=10,
    clip_norm=1.0,
    validation_fraction=0.15,
    test_fraction=0.2,
    refit=True,
    seed=0,
)

PRESETS: tuple[Preset, ...] = (
    Preset(
        name="chapter",
        kind="series",
        summary=(
            "The chapter's stock model: one past price in, LSTM(4) with sigmoid, min-max scaling. "
            "For comparison only; expect it to do worse than repeating the last value."
        ),
        recipe=SeriesRecipe(
            preset="chapter",
            cell="lstm",
            layers=(4,),
            activation="sigmoid",
            window=1,
            horizon=1,
            features=None,
            scaling="minmax",
            anchor="none",
            loss="mse",
            optimizer="adam",
            learning_rate=0.001,
            batch_size=32,
            epochs=200,
            early_stopping=None,
            clip_norm=None,
            validation_fraction=0.0,
            test_fraction=0.2,
            refit=True,
            seed=0,
        ),
    ),
    Preset(
        name="default",
        kind="series",
        summary=(
            "Recommended: starts as an average of simple forecasts (exponential smoothing, Theta, "
            "seasons, autoregressions), mixed with universal, that is weighed on earlier rows; the "
            "network changes it only where that helps on validation data."
        ),
        recipe=_DEFAULT_OF_SERIES,
    ),
    Preset(
        name="tune",
        kind="series",
        summary=(
            "Trains the weights of universal, which forecasts any series, further on the dataset "
            "for as long as that helps on validation data; other columns are added from zero. For "
            "series that universal forecasts well already."
        ),
        recipe=_DEFAULT_OF_SERIES.model_copy(
            update={"preset": "tune", "anchor": "universal", "tune_epochs": 30}
        ),
    ),
    Preset(
        name="chapter",
        kind="text",
        summary=(
            "The chapter's fable model: three words in, the next one out, one-hot encoded. "
            "Strict: a word that it was not trained on is an error."
        ),
        recipe=TextRecipe(
            preset="chapter",
            cell="lstm",
            layers=(128,),
            activation="tanh",
            tokenizer="word",
            reading="window",
            window=3,
            truncate=None,
            embedding="one-hot",
            min_count=1,
            unknown="error",
            optimizer="adam",
            learning_rate=0.01,
            batch_size=32,
            epochs=100,
            early_stopping=None,
            clip_norm=None,
            validation_fraction=0.0,
            test_fraction=0.0,
            refit=False,
            seed=0,
        ),
    ),
    Preset(
        name="default",
        kind="text",
        summary=(
            "Recommended: reads characters as a stream with carried state, so that each further "
            "one costs one step, and mixes the network with the best n-gram model. Keeps case, "
            "punctuation and line breaks; no character is unknown."
        ),
        recipe=TextRecipe(
            preset="default",
            cell="lstm",
            layers=(256,),
            activation="tanh",
            tokenizer="char",
            reading="stream",
            window=None,
            truncate=64,
            embedding=64,
            min_count=2,
            unknown="bytes",
            anchor="ngram",
            dropout=0.2,
            token_budget=12_000_000,
            schedule="cosine",
            optimizer="adam",
            learning_rate=0.004,
            batch_size=16,
            epochs=20,
            early_stopping=5,
            clip_norm=1.0,
            validation_fraction=0.05,
            test_fraction=0.1,
            refit=False,
            seed=0,
        ),
    ),
)


def presets(kind: Kind) -> dict[str, SeriesRecipe | TextRecipe]:
    """Return the presets of a kind by name."""
    return {preset.name: preset.recipe for preset in PRESETS if preset.kind == kind}
