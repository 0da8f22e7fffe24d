"""What the page sends, checked."""

from __future__ import annotations

from dataclasses import dataclass
import json
from typing import Any

__all__ = ["EditMessage", "parse_edits"]

_MOST_EDITS = 1000  # of a message
_LONGEST_KEY = 100
_FARTHEST = 1e6  # px from the image's corner


@dataclass(frozen=True)
class EditMessage:
    """One thing that a person did.

    Attributes
    ----------
    key : str
        What the page knows it by.
    base : int
        The version of the set that the page knew.
    set : list of list
        What becomes of keypoints, as `AnnotationEditor.edit` takes it.
    """

    key: str
    base: int
    set: list[list[Any]]


def parse_edits(body):
    """Read a message of edits.

    Parameters
    ----------
    body : bytes
        JSON: ``{"client": str, "edits": [{"key": str, "base": int, "set": [...]}]}``.

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
    try:
        message = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"A message must be JSON, but: {error}.") from error
    _check_fields("A message", message, {"client": str, "edits": list})
    _check_key("client", message["client"])
    if len(message["edits"]) > _MOST_EDITS:
        raise ValueError(f"A message has {_MOST_EDITS} edits at most.")
    return message["client"], [_parse_edit(edit) for edit in message["edits"]]


def _parse_edit(edit):
    _check_fields("An edit", edit, {"key": str, "base": int, "set": list})
    _check_key("key", edit["key"])
    for part in edit["set"]:
        if not isinstance(part, list):
            raise ValueError(f"The set of an edit holds lists, but was {edit['set']!r:.200}.")
        for number in part[3:5]:
            is_number = isinstance(number, int | float) and not isinstance(number, bool)
            if is_number and abs(number) > _FARTHEST:
                raise ValueError(f"A keypoint cannot be {number!r} px from the image's corner.")
    return EditMessage(**edit)


def _check_fields(what, found, needed):
    if not isinstance(found, dict) or set(found) != set(needed):
        has = ", ".join(sorted(found)) if isinstance(found, dict) else type(found).__name__
        raise ValueError(f"{what} must have the fields {', '.join(needed)}, but had {has:.200}.")
    for name, kind in needed.items():
        if not isinstance(found[name], kind) or isinstance(found[name], bool):
            raise ValueError(
                f"{name} of {what.lower()} must be {kind.__name__}, but was {found[name]!r:.200}."
            )


def _check_key(name, value):
    if not 0 < len(value) <= _LONGEST_KEY or not value.isascii() or not value.isprintable():
        raise ValueError(f"{name} must be 1 to {_LONGEST_KEY} ASCII characters.")
