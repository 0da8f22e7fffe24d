"""How close a prediction comes to what the machine can do, and where its time goes.

    python benchmarks/limits.py --networks stacked_densenet,stacked_densenet_1x32

For images of 192 x 192 grey pixels with 32 keypoints, alone and in batches of 32 as a long
prediction has them, are timed in turn the network alone, the network with the peak finder, and
`PoseEstimator.predict`; the fastest call of each counts. The operations of the network are counted
from its layers. What the machine can do is measured: products of matrices with NumPy and
TensorFlow, a convolution of the kind that the networks have, and additions to an array that no
cache holds.

The least time of the operations is what they take at the rate of the best matrix product, which the
best convolutions can exceed by some per cent. The least time of the layers adds that each layer
reads its inputs and writes its outputs, at the rate of the memory where that takes longer: right
where the caches hold nothing between layers, so a network can get below it where they do.
"""

import argparse
from collections import defaultdict
import os

from _processes import run_alone, time_calls
from _rows import merge_rows
import numpy as np
from scaling import fit_briefly, make_images

from skpose import PoseEstimator

SIDE, N_KEYPOINTS, BATCH = 192, 32, 32


def measure_machine():
    """Measure GFLOP/s of matrix products and convolutions, and GB/s of the memory."""
    import tensorflow as tf

    rates = {}
    for n in (1024, 2048):
        a, b = np.random.default_rng(0).standard_normal((2, n, n)).astype(np.float32)
        ta, tb = tf.constant(a), tf.constant(b)
        product = tf.function(tf.linalg.matmul)
        calls = {
            f"numpy matmul {n}": lambda a=a, b=b: a @ b,
            f"tensorflow matmul {n}": lambda f=product, a=ta, b=tb: f(a, b).numpy(),
        }
        rates |= _best_rates(calls, 2 * n**3)
    for n_images in (1, BATCH):
        x = tf.random.stateless_normal((n_images, 48, 48, 144), (0, 0))
        kernel = tf.random.stateless_normal((3, 3, 144, 144), (0, 1))
        convolve = tf.function(lambda x, kernel: tf.nn.conv2d(x, kernel, 1, "SAME"))
        call = {f"convolution 3 x 3, batch {n_images}": lambda f=convolve, x=x, k=kernel: f(x, k)}
        rates |= _best_rates(call, 2 * n_images * 48 * 48 * 9 * 144 * 144)
    large = tf.zeros(2**26)  # 256 MiB
    add = tf.function(lambda x: x + 1.0)
    moved = _best_rates({"memory": lambda: add(large)}, 2 * 4 * 2**26)["memory"]
    return {"gflop_s": rates, "memory_gb_s": moved, "cores": os.cpu_count()}


def _best_rates(calls, amount):
    times = time_calls(calls, seconds=3, n_rounds=30)
    return {name: round(amount / float(values.min()) / 1e9, 1) for name, values in times.items()}


def measure_network(network, sgemm, memory):
    """Time the parts of a prediction, and compare the network with the machine."""
    X, y = make_images(BATCH, SIDE, N_KEYPOINTS)
    estimator, _ = fit_briefly(network, X[:16], y[:16])
    costs = count_costs(estimator)
    rows = {"kinds": sum_by_kind(costs)}
    for n, name in ((1, "alone"), (BATCH, "in batches")):
        times = time_prediction(estimator, X[:n])
        rows[name] = _compare(times, costs, n, sgemm, memory)
    return rows


def count_costs(estimator):
    from _flops import count_layers

    divisor = estimator.model_.divisor
    padded = SIDE + -SIDE % divisor
    return count_layers(estimator.model_.network, (padded, padded, 1))


def sum_by_kind(costs):
    """Return GFLOP and MB an image for each kind of layer, the largest first."""
    kinds = defaultdict(lambda: [0, 0, 0])
    for cost in costs:
        for i, value in enumerate((1, cost.flop / 1e9, cost.moved_bytes / 1e6)):
            kinds[cost.kind][i] += value
    order = sorted(kinds, key=lambda kind: -kinds[kind][2])
    names = ("layers", "gflop", "moved_mb")
    return {
        kind: dict(zip(names, np.round(kinds[kind], 3).tolist(), strict=True)) for kind in order
    }


def time_prediction(estimator, X):
    """Return the least seconds of the network, of network and peaks, and of the whole."""
    from skpose.estimator._backend import compile_prediction

    model = estimator.model_
    network = compile_prediction(model, lambda images: model(images)[-1])
    keypoints = compile_prediction(model, model.find_keypoints)
    calls = {
        "network": lambda: network(X),
        "keypoints": lambda: keypoints(X),
        "predict": lambda: estimator.predict(X, batch_size=len(X)),
    }
    times = time_calls(calls, seconds=8 if len(X) == 1 else 20, n_rounds=200)
    return {name: float(values.min()) for name, values in times.items()}


def _compare(times, costs, n, sgemm, memory):
    flop = sum(cost.flop for cost in costs)
    layers = [
        max(
            cost.flop / (sgemm * 1e9),
            (cost.moved_bytes + cost.weight_bytes / n) / (memory * 1e9),
        )
        for cost in costs
    ]
    milliseconds = {name: 1000 * seconds / n for name, seconds in times.items()}
    whole = milliseconds["predict"]
    figures = {
        "network_ms": milliseconds["network"],
        "peaks_ms": milliseconds["keypoints"] - milliseconds["network"],
        "host_ms": whole - milliseconds["keypoints"],
        "predict_ms": whole,
        "network_percent": 100 * milliseconds["network"] / whole,
        "peaks_percent": 100 * (milliseconds["keypoints"] - milliseconds["network"]) / whole,
        "host_percent": 100 * (whole - milliseconds["keypoints"]) / whole,
        "gflop": flop / 1e9,
        "achieved_gflop_s": flop / 1e6 / milliseconds["network"],
        "percent_of_sgemm": flop / 1e4 / milliseconds["network"] / sgemm,
        "least_ms_of_operations": 1000 * flop / (sgemm * 1e9),
        "least_ms_of_layers": 1000 * sum(layers),
    }
    return {name: round(value, 2) for name, value in figures.items()}


def print_table(network, rows):
    """Print the times of a network as a table in Markdown."""
    alone, many = rows["alone"], rows["in batches"]
    print(f"\n| {network}, an image | alone | in batches of {BATCH} |\n|---|---|---|")
    for name in alone:
        print(f"| {name.replace('_', ' ')} | {alone[name]:g} | {many[name]:g} |")
    print("\n| layers | number | GFLOP | MB read and written |\n|---|---|---|---|")
    for kind, row in rows["kinds"].items():
        print(f"| {kind} | {row['layers']:.0f} | {row['gflop']:.3f} | {row['moved_mb']:.2f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", default=f"{PoseEstimator().model},stacked_densenet")
    arguments = parser.parse_args()
    machine = run_alone(measure_machine)
    merge_rows("limits", "measured", {"machine": machine})
    sgemm = max(rate for name, rate in machine["gflop_s"].items() if "matmul" in name)
    for network in dict.fromkeys(arguments.networks.split(",")):
        rows = run_alone(measure_network, network, sgemm, machine["memory_gb_s"])
        merge_rows("limits", network, rows)
        print_table(network, rows)


if __name__ == "__main__":
    main()
