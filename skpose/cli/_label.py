"""``skpose label``: the page on which people label."""

import getpass
import os
from pathlib import Path
import platform
import sys
import webbrowser

import click

from skpose._files import name_with_size
from skpose.cli._chosen_frames import (
    choose_skeleton,
    looks_grey,
    open_videos,
    put_frames,
)
from skpose.cli._shared import check_free, read_labels, refuse
from skpose.skeleton import UNNAMED, Skeleton

_OF_LABELS = {".csv", ".h5", ".hdf5", ".json", ".slp", ".yaml", ".yml"}
_MOST_LOOKED_AT = 5000  # frames of a video, out of which those to label are chosen
_OF_NEW_SETS = {"--n", "--bodyparts", "--skeleton"}


@click.command("label")
@click.argument(
    "sources",
    metavar="LABELS|VIDEO...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, path_type=Path),
)
@click.option(
    "--out",
    "-o",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The annotation set (.h5) to make of videos or of labels of another format. Default: "
    "beside the first video, with its name.",
)
@click.option(
    "--n",
    "n_frames",
    type=click.IntRange(1),
    default=50,
    show_default=True,
    help="Frames to choose of the videos, in all.",
)
@click.option(
    "--bodyparts",
    metavar="NAME,NAME,...",
    help="What to label, such as nose,left_ear,right_ear,tail. Default: you click and name them on "
    "the page.",
)
@click.option(
    "--skeleton",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The same as a table (.csv: name, parent, swap), which knows lines too.",
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="Where the page is; if it is taken, the next free one.",
)
@click.option(
    "--user",
    default=lambda: _login_name(),
    show_default="that of your login",
    help="Your name, which is kept with what you label. On the page it can be changed.",
)
@click.option("--read-only", is_flag=True, help="Look at the labels only.")
@click.option("--no-browser", is_flag=True, help="Open no browser; the link is printed.")
@click.option(
    "--allow-host",
    "allow_hosts",
    multiple=True,
    metavar="NAME",
    help="A name under which browsers reach this machine, through a proxy. Can be given again.",
)
def label(sources, out, n_frames, bodyparts, skeleton, no_browser, **options):
    """Label frames on a page in the browser, and correct guesses there.

    Of a VIDEO, or several, frames that look different are chosen and put into an annotation set
    beside it, fly.h5 of fly.mp4; if there is one, it is gone on with. LABELS is an annotation set,
    or with --out labels of any format that `skpose train` takes; videos that are given with it are
    those that it was made of, to look at other frames of them. What you label is saved at once.
    Press Ctrl-C when you are done.
    """
    from skpose.annotate import AlreadyServed, LabelServer

    labels, videos = (
        [source for source in sources if _is_video(source) == wanted] for wanted in (False, True)
    )
    if len(labels) > 1:
        raise click.UsageError("Give one set of labels at most.")
    if labels:
        refuse(_OF_NEW_SETS, f"to {labels[0]}, only to videos without a set")
        path = _make_set(labels[0], out)
    else:
        path = videos[0].with_suffix(".h5") if out is None else out
        if not options["read_only"]:
            _put_videos(path, videos, n_frames, bodyparts, skeleton)
        elif not path.exists():
            raise click.ClickException(f"{path} does not exist, so there is nothing to look at.")
    try:
        server = LabelServer(path, **options, videos=videos)
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


def _is_video(path):
    import h5py

    is_other = path.suffix.lower() in _OF_LABELS
    return path.is_file() and not is_other and not h5py.is_hdf5(path)


def _put_videos(path, videos, n_frames, bodyparts, skeleton):
    """Make the set of some videos, or add frames of those that it does not know yet."""
    from skpose.datasets import HDF5Images, read_sources

    if not path.exists():
        check_free(path, overwrite=False)
        of_set = choose_skeleton(bodyparts, skeleton) or Skeleton([UNNAMED])
        n_channels = 1 if all(map(looks_grey, videos)) else 3
    else:
        refuse(_OF_NEW_SETS - {"--n"}, f"to {path}, which has its own")
        of_set, n_channels = None, HDF5Images(path).shape[3]
        seen = read_sources(path)
        videos = [video for video in videos if name_with_size(video) not in seen]
        click.echo(f"{path} is there already.")
    if videos:
        from skpose.sampling import KMeansSampler

        frames = open_videos(videos, n_channels)
        step = max(1, max(map(len, frames)) // _MOST_LOOKED_AT)
        if step > 1:
            frames = open_videos(videos, n_channels, step)
        put_frames(path, videos, frames, KMeansSampler(), n_frames=n_frames, skeleton=of_set)


def _make_set(labels, out):
    """Return the annotation set that is labelled: the file itself, or one made of other labels."""
    import h5py

    if out is None:
        if not labels.is_file() or not h5py.is_hdf5(labels):
            raise click.UsageError(
                f"{labels} is not an annotation set: give --out SET.h5 to make one of it, which "
                "is labelled then."
            )
        return labels
    from skpose.datasets import write_labels  # which takes the memory of all formats

    check_free(out, overwrite=False)
    found = read_labels(labels, None, {})
    write_labels(out, found, format="deepposekit")
    click.echo(f"{len(found.images)} frames of {labels} are in {out}")
    return out


def _tell(server, wanted, no_browser):
    if wanted and server.port != wanted:
        click.echo(f"Port {wanted} is taken, so it is {server.port}.")
    click.echo(f"Label at {server.url}")
    if server.trouble:
        click.echo(f"It can only be looked at. {server.trouble}")
    if not _has_display():
        me = f"{_login_name() or 'me'}@{platform.node()}"
        click.echo(
            "This machine has no screen. On the one before you, type the following, and open the "
            f"link there:\n\n    ssh -L {server.port}:127.0.0.1:{server.port} {me}\n"
        )
    elif not no_browser:
        webbrowser.open(server.make_link())
    click.echo("All is saved at once. Press Ctrl-C here when you are done.")


def _login_name():
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # a number that this machine has no name for
        return ""


def _has_display():
    if sys.platform in ("win32", "darwin"):
        return "SSH_CONNECTION" not in os.environ
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
