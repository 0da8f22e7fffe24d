"""``skpose edit`` and ``skpose split``: annotation sets as a whole."""

from pathlib import Path

import click

from skpose.cli._shared import check_free


class _Numbers(click.ParamType):
    name = "N,N-N,..."

    def convert(self, value, param, ctx):
        numbers = []
        try:
            for part in value.split(","):
                first, _, last = part.partition("-")
                part = range(int(first), int(last or first) + 1)
                if not part:
                    raise ValueError
                numbers += part
        except ValueError:
            self.fail(f"{value!r} is not a list of numbers such as 3,7,12-15.", param, ctx)
        return numbers


class _Renaming(click.ParamType):
    name = "OLD=NEW"

    def convert(self, value, param, ctx):
        old, equals, new = value.partition("=")
        if not equals or not old or not new:
            self.fail(f"{value!r} is not OLD=NEW.", param, ctx)
        return old, new


_SET = click.Path(exists=True, dir_okay=False, path_type=Path)
_NEW = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("set_file", metavar="SET", type=_SET)
@click.option(
    "--remove",
    type=_Numbers(),
    help="Numbers of images to take out, as `check` and the page count.",
)
@click.option(
    "--rename",
    type=_Renaming(),
    multiple=True,
    help="Another name for a bodypart; may be repeated.",
)
def edit(set_file, remove, rename):
    """Take images out of an annotation SET, or give its bodyparts other names.

    What stays is not changed. The file takes the old one's place when it is complete.
    """
    from skpose.datasets import HDF5Images, remove_images, rename_bodyparts

    if not remove and not rename:
        raise click.UsageError("Give --remove or --rename.")
    n_images = len(HDF5Images(set_file))
    if remove and max(remove) >= n_images:
        raise click.UsageError(f"--remove {max(remove)}: {set_file} has {n_images} images, from 0.")
    if rename:
        rename_bodyparts(set_file, dict(rename))
        click.echo(f"{len(rename)} bodyparts of {set_file} have another name now.")
    if remove:
        remove_images(set_file, sorted(set(remove)))
        click.echo(f"{set_file} has {len(HDF5Images(set_file))} images now.")


@click.command()
@click.argument("set_file", metavar="SET", type=_SET)
@click.argument("train", type=_NEW)
@click.argument("test", type=_NEW)
@click.option(
    "--test-size",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.2,
    show_default=True,
    help="Share of the images, or of the videos, that goes into TEST.",
)
@click.option("--seed", type=int, default=None, help="Makes the choice reproducible.")
@click.option("--overwrite", is_flag=True, help="Replace TRAIN and TEST if they exist.")
def split(set_file, train, test, test_size, seed, overwrite):
    """Divide an annotation SET into two, TRAIN and TEST, by chance.

    Images of one video go into one of them, if the set tells the videos of all.
    """
    for out in (train, test):
        check_free(out, overwrite)
    from skpose.datasets import split_annotations

    options = {"test_size": test_size, "random_state": seed, "overwrite": overwrite}
    parts = split_annotations(set_file, train, test, **options)
    for out, index in zip((train, test), parts, strict=True):
        click.echo(f"{len(index)} images are in {out}")
