"""A server that is killed: all that it has acknowledged is there."""

import json
import os
import random
import signal
from threading import Timer

from helpers import link_in, start_labelling
import pytest

from skpose.datasets import AnnotationEditor

pytest.importorskip("starlette")
httpx = pytest.importorskip("httpx")

N_KILLS = 4


def label_until_killed(process, url, n_done, seconds):
    """Place keypoints at their number; return how many were acknowledged."""
    timer = Timer(seconds, process.send_signal, (signal.SIGKILL,))
    with httpx.Client(follow_redirects=True, timeout=20) as client:
        client.get(url)
        timer.start()
        try:
            while True:
                number = n_done
                set_ = [[number % 6, number // 6 % 4, "placed", float(number), 1.0]]
                edit = {"key": str(number), "user": "", "base": 10**6, "set": set_}
                body = json.dumps({"client": "page", "edits": [edit]})
                address = url.partition("?")[0] + "api/edits"
                headers = {"content-type": "application/json"}
                answer = client.post(address, content=body, headers=headers)
                assert answer.status_code == 200
                n_done += 1
        except httpx.TransportError:
            return n_done
        finally:
            timer.cancel()


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kills by a signal")
def test_killed_servers_lose_nothing_that_they_acknowledged(path):
    generator, n_done = random.Random(0), 0
    for _ in range(N_KILLS):
        process, said = start_labelling(path, "--port", 0)
        with process:
            n_done = label_until_killed(process, link_in(said), n_done, generator.uniform(0.3, 1.5))
        found = AnnotationEditor(path)
        for number in range(max(n_done - 24, 0), n_done):
            keypoint = found.keypoints_of(number % 6)[number // 6 % 4]
            # The one that was not answered may be there in place of the one 24 before it.
            assert keypoint in (["placed", number, 1.0], ["placed", number + 24, 1.0])
    assert n_done > 20
