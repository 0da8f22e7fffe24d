"""A checksum within an exported estimator, since a damaged one would predict other poses."""

from hashlib import sha256

__all__ = ["CHECKSUM", "NO_CHECKSUM", "add_checksum", "check_checksum"]

CHECKSUM = "skpose_checksum"
"""The key of the entry that holds it among the metadata of the ONNX model."""

NO_CHECKSUM = "0" * 64
"""What the entry holds before, and while the checksum over the file is computed."""

_PLACE = CHECKSUM.encode() + b"\x12\x40"  # of a text of 64 bytes behind its key, as protobuf has it


def add_checksum(content):
    """Put the checksum into a serialized model whose entry holds `NO_CHECKSUM`.

    Parameters
    ----------
    content : bytes
        The model.

    Returns
    -------
    content : bytes
        Of the same length.
    """
    start = content.rindex(_PLACE) + len(_PLACE)
    return content[:start] + sha256(content).hexdigest().encode() + content[start + 64 :]


def check_checksum(content, path):
    """Compare a model with its checksum.

    Parameters
    ----------
    content : bytes
        The model.
    path : path-like
        Its file, for the message.

    Raises
    ------
    ValueError
        If it is not what was exported, or has no checksum.
    """
    start = content.rfind(_PLACE) + len(_PLACE)
    blank = content[:start] + NO_CHECKSUM.encode() + content[start + 64 :]
    if sha256(blank).hexdigest().encode() != content[start : start + 64]:
        raise ValueError(
            f"{path} is not as it was exported: it was changed, damaged or cut short, or exported "
            "before files had a checksum. Export the estimator again."
        )
