"""What a benchmark writes down: its figures, and the machine that they were measured on."""

from importlib.metadata import version
import json
import os
from pathlib import Path
import platform
import time

RESULTS = Path(__file__).parent / "results"


def describe_machine():
    """Return the processor, the number of cores, and the versions that matter."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = [line for line in cpuinfo.read_text().splitlines() if "model name" in line]
        processor = lines[0].split(":")[1].strip() if lines else processor
    packages = ("skpose", "tensorflow", "keras", "numpy", "scikit-learn", "opencv-python")
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "system": platform.system(),
        "python": platform.python_version(),
        "backend": os.environ.get("KERAS_BACKEND", "tensorflow"),
        "packages": {name: version(name) for name in packages},
        "date": time.strftime("%Y-%m-%d"),
    }


def write_report(name, figures):
    """Write figures with the machine's description to ``results/<name>.json`` and print them."""
    RESULTS.mkdir(exist_ok=True)
    report = {"machine": describe_machine(), **figures}
    text = json.dumps(report, indent=2)
    (RESULTS / f"{name}.json").write_text(text + "\n")
    print(text)
