"""OpenCV, imported when it is first used."""


def import_opencv():
    """Give the module `cv2`.

    Raises
    ------
    ImportError
        If it cannot be imported. The message says what to install.
    """
    try:
        import cv2
    except ImportError as error:
        raise ImportError(
            f"OpenCV cannot be imported: {error}. On a machine without a display, where libGL is "
            "missing, use the build that does not need it: `pip uninstall opencv-python`, then "
            "`pip install opencv-python-headless`.",
            name="cv2",
        ) from error
    return cv2
