"""The command line: a group of commands, each in a module of its own."""

from contextlib import contextmanager
import os
import signal
import threading

import click

from skpose.cli._calibrate import calibrate
from skpose.cli._check import check
from skpose.cli._compare import compare
from skpose.cli._convert import convert
from skpose.cli._demo import demo
from skpose.cli._draw import draw
from skpose.cli._edit import edit, split
from skpose.cli._ensemble import ensemble
from skpose.cli._errors import explain
from skpose.cli._evaluate import evaluate
from skpose.cli._export import export
from skpose.cli._individuals import predict_individuals, track
from skpose.cli._info import info
from skpose.cli._label import label
from skpose.cli._predict import predict
from skpose.cli._quiet import import_keras_quietly
from skpose.cli._sample import initialize, sample
from skpose.cli._train import train

__all__ = ["main"]


class _Group(click.Group):
    """Commands in the order of work; errors are told in a line, unless a traceback is wanted."""

    def invoke(self, ctx):
        if ctx.params.get("traceback"):
            return super().invoke(ctx)
        try:
            with _terminable():
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt as interrupt:
            notes = getattr(interrupt, "__notes__", ())
            kept = " ".join(notes) or "What was at work is not written."
            raise click.ClickException(f"Stopped. {kept}") from None
        except Exception as error:
            raise explain(error) from error

    def list_commands(self, ctx):
        return list(self.commands)

    def format_commands(self, ctx, formatter):
        rows = [
            (name, command.get_short_help_str(limit=1000))  # wrapped, not cut
            for name, command in self.commands.items()
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


@contextmanager
def _terminable():
    """Let SIGTERM do what Ctrl-C does: stop, and say what is kept."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="skpose")
@click.option("--traceback", is_flag=True, help="Show where an error comes from.")
def main(traceback: bool) -> None:
    """Animal pose estimation: train a network on labelled frames, find bodyparts in new ones."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import_keras_quietly()


for _command in (
    demo,
    sample,
    label,
    initialize,
    check,
    compare,
    convert,
    edit,
    split,
    train,
    ensemble,
    calibrate,
    evaluate,
    predict,
    draw,
    export,
    track,
    predict_individuals,
    info,
):
    main.add_command(_command)
