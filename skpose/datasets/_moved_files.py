"""Files that labels name, and that have been moved since."""

__all__ = ["check_apart"]


def check_apart(found, path, option):
    """Raise ValueError if different names have led to one file.

    Parameters
    ----------
    found : dict of str to pathlib.Path
        The file that each name in the labels has led to.
    path : path-like
        The labels.
    option : str
        The parameter that says where files are.
    """
    names = {}
    for name, file in found.items():
        other = names.setdefault(file.resolve(), name)
        if other != name:
            raise ValueError(
                f"{path} names {other} and {name}, but only {file} is there. Keep their folders, "
                f"and give the folder that has them as {option}."
            )
