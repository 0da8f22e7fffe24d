"""The command line: a group of commands, each in a module of its own."""

import os

import click

from skpose.cli._demo import demo
from skpose.cli._draw import draw
from skpose.cli._evaluate import evaluate
from skpose.cli._export import export
from skpose.cli._individuals import predict_individuals, track
from skpose.cli._label import initialize, sample
from skpose.cli._predict import predict
from skpose.cli._train import train

__all__ = ["main"]


class _Group(click.Group):
    """Errors that a user can mend are told in a line, without a traceback."""

    def invoke(self, ctx):
        try:
            return super().invoke(ctx)
        except (ValueError, TypeError, OSError, ImportError) as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="skpose")
def main():
    """Animal pose estimation: train a network on labelled frames, find bodyparts in new ones."""
    # TensorFlow's greeting says nothing to a user of this command; errors still come through.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


main.add_command(demo)
main.add_command(train)
main.add_command(evaluate)
main.add_command(predict)
main.add_command(export)
main.add_command(track)
main.add_command(predict_individuals)
main.add_command(sample)
main.add_command(initialize)
main.add_command(draw)
