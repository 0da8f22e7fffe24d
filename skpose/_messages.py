"""Messages to a person: through `logging`, which is never configured here, or where that is off."""

import logging
import sys

__all__ = ["tell"]

_LOGGER = logging.getLogger("skpose")


def tell(message, verbose=True):
    """Log a message of level INFO; with `verbose`, print it unless the user's logging shows it.

    Parameters
    ----------
    message : str
        What to say.
    verbose : bool or int, default=True
        Whether the user has asked for messages.
    """
    _LOGGER.info(message)
    is_shown = _LOGGER.isEnabledFor(logging.INFO) and _LOGGER.hasHandlers()
    if verbose and not is_shown:
        print(message, file=sys.stderr, flush=True)
