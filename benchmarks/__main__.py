"""Run a benchmark by its name, say which there are, or write their tables into README.md.

python -m benchmarks
python -m benchmarks defaults --help
python -m benchmarks --tables
"""

import ast
from importlib import import_module
from pathlib import Path
import sys

HERE = Path(__file__).resolve().parent


def list_benchmarks():
    """Return the first line of each benchmark, by its name."""
    scripts = sorted(HERE.glob("[a-z]*.py"))
    return {path.stem: ast.get_docstring(ast.parse(path.read_text())) for path in scripts}


def main(arguments):
    names = list_benchmarks()
    if not arguments:
        for name, text in names.items():
            print(f"{name:20} {text.splitlines()[0]}")
        return
    name = arguments[0]
    sys.path.insert(0, str(HERE))  # scripts import each other, and so do processes that they start
    if name == "--tables":
        tables = import_module("_tables")
        tables.README.write_text(tables.fill_in(tables.README.read_text()))
        return
    if name not in names:
        sys.exit(f"There is no benchmark {name}. `python -m benchmarks` says which there are.")
    sys.argv[:] = [f"python -m benchmarks {name}", *arguments[1:]]
    import_module(name).main()


if __name__ == "__main__":
    main(sys.argv[1:])
