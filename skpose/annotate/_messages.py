"""What the page sends, checked."""

from __future__ import annotations

from dataclasses import dataclass
import json
import math
from typing import Any

from skpose._label_formats import WRITTEN

__all__ = [
    "EditMessage",
    "SkeletonMessage",
    "clean_name",
    "parse_edits",
    "parse_export",
    "parse_job",
    "parse_names",
    "parse_place_in_video",
    "parse_presence",
    "parse_skeleton",
]

_MOST_EDITS = 1000  # of a message
_MOST_BODYPARTS = 1000
_MOST = {"train": 1440, "suggest": 10_000}  # minutes, frames
_EXPORTS = tuple(format for format in WRITTEN if format != "deepposekit")
_LONGEST_KEY = 100
_LONGEST_NAME = 100
_FARTHEST = 1e6  # px from the image's corner


@dataclass(frozen=True)
class EditMessage:
    """One thing that a person did.

    Attributes
    ----------
    key : str
        What the page knows it by.
    user : str
        That person's name; "" for none.
    base : int
        The version of the set that the page knew.
    set : list of list
        What becomes of keypoints, as `AnnotationEditor.edit` takes it.
    """

    key: str
    user: str
    base: int
    set: list[list[Any]]


def parse_edits(body):
    """Read a message of edits.

    Parameters
    ----------
    body : bytes
        JSON: ``{"client": str, "edits": [{"key": str, "user": str, "base": int, "set": [...]}]}``.

    Returns
    -------
    client : str
        Which page sent it.
    edits : list of EditMessage

    Raises
    ------
    ValueError
        If it is something else; it says what.
    """
    message = _parse(body)
    _check_fields("A message", message, {"client": str, "edits": list})
    _check_key("client", message["client"])
    if len(message["edits"]) > _MOST_EDITS:
        raise ValueError(f"A message has {_MOST_EDITS} edits at most.")
    return message["client"], [_parse_edit(edit) for edit in message["edits"]]


@dataclass(frozen=True)
class SkeletonMessage:
    """The bodyparts as a person wants them.

    Attributes
    ----------
    client : str
        Which page sent it.
    base : str
        The key of the skeleton that the page knew.
    names : list of str
        First those of the bodyparts that are there, then those of new ones.
    parents, swaps : list of int or None
        What each hangs on, and its partner in a mirror.
    places : list of [int, int, float, float]
        Where bodyparts were placed meanwhile: image, keypoint, x and y.
    """

    client: str
    base: str
    names: list[str]
    parents: list[int | None]
    swaps: list[int | None]
    places: list[list[Any]]


def parse_skeleton(body):
    """Read a message with a skeleton; raises ValueError if it is something else."""
    message = _parse(body)
    kinds = {"client": str, "base": str, "names": list, "parents": list, "swaps": list}
    _check_fields("A skeleton", message, {**kinds, "places": list})
    _check_key("client", message["client"])
    _check_names(message["names"])
    for name in ("parents", "swaps"):
        for value in message[name]:
            if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
                raise ValueError(
                    f"{name} must be numbers of bodyparts or null, but were {value!r}."
                )
    for place in message["places"]:
        if not isinstance(place, list) or len(place) != 4 or not all(map(_is_number, place)):
            raise ValueError(f"places must be [image, keypoint, x, y], but had {place!r:.200}.")
        _check_near(place[2:])
    return SkeletonMessage(**message)


def parse_names(body):
    """Read a message with names of bodyparts; raises ValueError if it is something else."""
    message = _parse(body)
    _check_fields("A message", message, {"names": list})
    _check_names(message["names"])
    return message["names"]


def parse_job(body):
    """Read a message that wants a training of so many minutes, or so many more frames.

    Parameters
    ----------
    body : bytes
        JSON: ``{"train": minutes}`` or ``{"suggest": n_frames}``.

    Returns
    -------
    kind : {"train", "suggest"}
    amount : number

    Raises
    ------
    ValueError
        If it is something else; it says what.
    """
    message = _parse(body)
    if not isinstance(message, dict) or len(message) != 1 or not set(message) <= set(_MOST):
        raise ValueError('A message must be {"train": minutes} or {"suggest": n_frames}.')
    ((kind, amount),) = message.items()
    is_whole = isinstance(amount, int) or kind == "train"
    if not _is_number(amount) or not is_whole or not 0 < amount <= _MOST[kind]:
        raise ValueError(f"{kind} must be at most {_MOST[kind]}, but was {amount!r:.200}.")
    return kind, amount


def parse_export(body):
    """Read a message that wants the labels in another format; return which."""
    message = _parse(body)
    _check_fields("A message", message, {"format": str})
    if message["format"] not in _EXPORTS:
        formats = ", ".join(_EXPORTS)
        raise ValueError(f"format must be one of {formats}, but was {message['format']!r:.100}.")
    return message["format"]


def parse_place_in_video(body):
    """Read a message that names a frame of a video: an image, and how many frames after it."""
    message = _parse(body)
    _check_fields("A message", message, {"frame": int, "offset": int})
    return message["frame"], message["offset"]


def parse_presence(body):
    """Read a message of where a page is: which page, who sits there, and the image's number."""
    message = _parse(body)
    _check_fields("A message", message, {"client": str, "user": str, "frame": int})
    _check_key("client", message["client"])
    return message["client"], clean_name(message["user"]), message["frame"]


def _parse(body):
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"A message must be JSON, but: {error}.") from error


def _check_names(names):
    if len(names) > _MOST_BODYPARTS:
        raise ValueError(f"A set has {_MOST_BODYPARTS} bodyparts at most.")
    for name in names:
        is_name = isinstance(name, str) and 0 < len(name.strip()) == len(name) <= _LONGEST_NAME
        if not is_name or not name.isprintable():
            raise ValueError(
                f"A bodypart's name must have 1 to {_LONGEST_NAME} characters, and no space at its "
                f"ends, but was {name!r:.200}."
            )


def _parse_edit(edit):
    _check_fields("An edit", edit, {"key": str, "user": str, "base": int, "set": list})
    _check_key("key", edit["key"])
    edit = {**edit, "user": clean_name(edit["user"])}
    for part in edit["set"]:
        if not isinstance(part, list):
            raise ValueError(f"The set of an edit holds lists, but was {edit['set']!r:.200}.")
        _check_near(part[3:5])
    return EditMessage(**edit)


def _check_near(numbers):
    for number in numbers:
        if _is_number(number) and abs(number) > _FARTHEST:
            raise ValueError(f"A keypoint cannot be {number!r} px from the image's corner.")


def _is_number(value):
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def _check_fields(what, found, needed):
    if not isinstance(found, dict) or set(found) != set(needed):
        has = ", ".join(sorted(found)) if isinstance(found, dict) else type(found).__name__
        raise ValueError(f"{what} must have the fields {', '.join(needed)}, but had {has:.200}.")
    for name, kind in needed.items():
        if not isinstance(found[name], kind) or isinstance(found[name], bool):
            raise ValueError(
                f"{name} of {what.lower()} must be {kind.__name__}, but was {found[name]!r:.200}."
            )


def clean_name(name):
    """Return a person's name as it is kept, whatever it is: no edit is refused for it."""
    words = "".join(letter if letter.isprintable() else " " for letter in name).split()
    return " ".join(words).replace(":", "")[:_LONGEST_NAME]  # a model's begins with "model:"


def _check_key(name, value):
    if not 0 < len(value) <= _LONGEST_KEY or not value.isascii() or not value.isprintable():
        raise ValueError(f"{name} must be 1 to {_LONGEST_KEY} ASCII characters.")
