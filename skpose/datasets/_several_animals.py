"""Images with several animals, in formats whose animals have no names."""

__all__ = ["check_choice", "check_one_each"]


def check_choice(individuals):
    """Raise ValueError if it is not known what is to become of several animals."""
    if individuals not in ("error", "each"):
        raise ValueError(f"individuals must be 'error' or 'each', but was {individuals!r}.")


def check_one_each(images, individuals, path):
    """Raise ValueError if an image occurs twice, unless each animal is to be a sample."""
    if individuals == "error" and len(set(images)) < len(images):
        raise ValueError(
            f"{path} has images with several animals, but a pose is estimated for one. "
            'individuals="each" makes a sample of each animal.'
        )
