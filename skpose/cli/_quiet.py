"""A quiet start of the network library, whose greeting says nothing to a user of a command."""

from contextlib import contextmanager, suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.util import find_spec
import os
import sys
import tempfile

__all__ = ["import_keras_quietly"]


def import_keras_quietly():
    """Have Keras, whenever it is imported, start without a word, unless that fails.

    What its backend writes to the file descriptor of standard error is held back, up to the first
    operation, and shown if there is an error.
    """
    if "keras" not in sys.modules:
        sys.meta_path.insert(0, _QuietFinder())


class _QuietFinder(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name != "keras":
            return None
        with suppress(ValueError):
            sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is not None and spec.loader is not None:
            spec.loader = _QuietLoader(spec.loader)
        return spec


class _QuietLoader(Loader):
    def __init__(self, loader):
        self._loader = loader

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        with _held_back(2):
            self._loader.exec_module(module)
            module.ops.zeros(())  # the backend looks for its devices now

    def __getattr__(self, name):  # for who asks a module's loader for files
        return getattr(self._loader, name)


@contextmanager
def _held_back(descriptor):
    """Hold back what is written to a file descriptor, and show it if an error comes."""
    if sys.stderr is not None:
        sys.stderr.flush()
    try:
        before = os.dup(descriptor)
    except OSError:  # it is closed
        yield
        return
    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), descriptor)
        try:
            yield
        except BaseException:
            file.seek(0)
            os.write(before, file.read())
            raise
        finally:
            os.dup2(before, descriptor)
            os.close(before)
