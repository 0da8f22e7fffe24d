"""Durations as people read them."""

__all__ = ["format_duration"]


def format_duration(seconds):
    """Give hours, minutes and seconds as a text.

    Parameters
    ----------
    seconds : float
        The duration.

    Returns
    -------
    str

    Examples
    --------
    >>> from skpose._duration import format_duration
    >>> format_duration(3723)
    '1:02:03'
    """
    minutes, seconds = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{seconds:02}" if hours else f"{minutes}:{seconds:02}"
