"""``skpose label``: the page on which people label."""

import getpass
import os
from pathlib import Path
import platform
import sys
import webbrowser

import click


@click.command("label")
@click.argument("labels", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--out",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The annotation set (.h5) to make of labels of another format, which stay as they are.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="Where the page is; if it is taken, the next free one.",
)
@click.option("--user", default="", help="Your name, which is kept with what you label.")
@click.option("--read-only", is_flag=True, help="Look at the labels only.")
@click.option("--no-browser", is_flag=True, help="Open no browser; the link is printed.")
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="NAME",
    help="A name under which browsers reach this machine, through a proxy. Can be given again.",
)
def label(labels, out, no_browser, **options):
    """Label the frames of LABELS on a page in the browser, and correct guesses there.

    LABELS is an annotation set, as `skpose sample` makes it; or with --out a DeepLabCut project or
    a COCO file. What you label is saved at once. Press Ctrl-C when you are done.
    """
    from skpose.annotate import AlreadyServed, LabelServer

    path = _make_set(labels, out)
    try:
        server = LabelServer(path, **options)
    except AlreadyServed as served:
        if served.url is None:
            raise
        click.echo(f"{path} is open on a page already: {served.url}")
        return
    with server:
        try:
            _tell(server, options["port"], no_browser)
            server.wait()
        except KeyboardInterrupt:
            click.echo("", err=True)
        n_edits = server.n_edits
    click.echo(f"{n_edits} changes are in {path}." if n_edits else f"{path} was not changed.")


def _make_set(labels, out):
    """Return the annotation set that is labelled: the file itself, or one made of other labels."""
    import h5py

    from skpose.cli._shared import check_free, read_labels
    from skpose.datasets import write_annotations

    if out is None:
        if not labels.is_file() or not h5py.is_hdf5(labels):
            raise click.UsageError(
                f"{labels} is not an annotation set: give --out SET.h5 to make one of it, which "
                "is labelled then."
            )
        return labels
    check_free(out, overwrite=False)
    found = read_labels(labels, None, {})
    write_annotations(
        out,
        found.images,
        found.keypoints,
        skeleton=found.skeleton,
        annotated=found.visibility != 0,
        occluded=found.visibility == 1,
    )
    click.echo(f"{len(found.images)} frames of {labels} are in {out}")
    return out


def _tell(server, wanted, no_browser):
    if wanted and server.port != wanted:
        click.echo(f"Port {wanted} is taken, so it is {server.port}.")
    click.echo(f"Label at {server.url}")
    if server.trouble:
        click.echo(f"It can only be looked at. {server.trouble}")
    if not _has_display():
        me = f"{getpass.getuser()}@{platform.node()}"
        click.echo(
            "This machine has no screen. On the one before you, type the following, and open the "
            f"link there:\n\n    ssh -L {server.port}:127.0.0.1:{server.port} {me}\n"
        )
    elif not no_browser:
        webbrowser.open(server.make_link())
    click.echo("All is saved at once. Press Ctrl-C here when you are done.")


def _has_display():
    if sys.platform in ("win32", "darwin"):
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
