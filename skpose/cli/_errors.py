"""Errors as a person at the command line needs them: one line, in the words of the commands."""

import re

import click

__all__ = ["explain"]

# What the library advises to Python's users, and what does the same here.
_WORDS = {
    r"overwrite=True": "--overwrite",
    r"resume=False": "--no-resume",
    r"labelled='(\w+)'": r"--labelled \1",
    r"\blabelled (?=does not apply)": "--labelled ",
    r"skeleton=Skeleton\.from_csv\(\.\.\.\)": "--skeleton TABLE.csv",
    r"\b(skeleton|scorer|category) (?=does not apply)": r"--\1 ",
    r"\bimage_size (?=does not apply)": "--image-size ",
    r"image_size=\(height, width\)": "--image-size HEIGHT,WIDTH",
    r"scorer=\.\.\.": "--scorer NAME",
    r"category must name": "--category must name",
    r"No image of (.+) is labelled yet\. Give frames='all' to read them anyway\.": (
        r"No image of \1 is labelled yet. Label some: skpose label \1"
    ),
    r"set warm_start=False and call fit": "train without --resume",
    r"early_stopping=False": "--set early_stopping=False",
    r"align=False": "no --align",
    r"\bbatch_size (?=must)": "--batch-size ",
    r"\bbox_size (?=must)": "--box-size ",
    r"\bmin_confidence (?=must)": "--min-confidence ",
    r"(?<=Increase )max_gap": "--max-gap",
    r"(?<=lower )min_separation": "--min-separation",
}
_EXPECTED = (ValueError, TypeError, OSError, ImportError)


def explain(error):
    """Return an error of the library as one of the command line.

    Parameters
    ----------
    error : Exception
        Any error.

    Returns
    -------
    click.ClickException
    """
    message = str(error)
    for pattern, words in _WORDS.items():
        message = re.sub(pattern, words, message)
    notes = [str(note) for note in getattr(error, "__notes__", ())]
    if not isinstance(error, _EXPECTED):
        message = f"{type(error).__name__}: {message or 'no more is known'}"
        notes.append("`skpose --traceback COMMAND ...` shows where it happened.")
    return click.ClickException(" ".join([message, *notes]))
