"""``skpose demo``."""

from pathlib import Path
import time

import click

from skpose.cli._scores import score_table


@click.command()
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    default="skpose-demo.png",
    show_default=True,
    help="Picture of predictions over test images; replaced if it exists.",
)
@click.option(
    "--epochs",
    type=click.IntRange(min=1),
    default=25,
    show_default=True,
    help="Fewer are sooner done and find less.",
)
@click.option("--seed", default=0, show_default=True, help="Another seed gives other animals.")
def demo(out, epochs, seed):
    """Train a small network on synthetic animals for a minute or two, and show what it finds."""
    from skpose._demo import run_demo
    from skpose._files import check_output, replacing

    check_output(out, what="Pictures", overwrite=True)

    start = time.monotonic()
    errors, skeleton, figure = run_demo(seed, max_epochs=epochs)
    with replacing(out, overwrite=True) as temporary:
        figure.savefig(temporary, dpi=120, format=out.suffix.lstrip(".") or "png")
    click.echo(score_table(errors, skeleton.names))
    click.echo(f"{time.monotonic() - start:.0f} s; predictions over images are in {out}")
