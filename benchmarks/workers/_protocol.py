"""How a worker talks to its driver: one line of JSON for each request, one for each answer.

A request is ``{"do": name, ...arguments}``, an answer ``{"result": ...}`` or ``{"error": ...}``.
Arrays travel as the paths of .npy files. Standard output belongs to the answers alone: what a
library prints goes to standard error.
"""

import json
import os
import sys
import time
import traceback


def serve(actions):
    """Answer requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"result": actions[request.pop("do")](**request)}
        except Exception as error:
            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def seconds(function, repeats=1):
    """Time `repeats` calls, one after the other."""
    start = time.perf_counter()
    for _ in range(repeats):
        function()
    return time.perf_counter() - start
