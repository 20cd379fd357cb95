from pathlib import Path

from app.terminal.commands.train import TrainingOrder


def test_a_horizon_is_a_field_of_the_recipe_that_is_sent() -> None:
    order = TrainingOrder(
        file=Path("prices.csv"),
        model=None,
        preset="default",
        target=None,
        test=None,
        changes=("epochs=5",),
        read=(),
        start_from=None,
        horizon=6,
    )
    assert order.recipe() == {"preset": "default", "horizon": 6, "epochs": 5}
