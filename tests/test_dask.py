"""A search on a cluster of Dask's worker processes."""

import os

from helpers import tiny_estimator
import joblib
import numpy as np
from numpy.testing import assert_allclose, assert_array_equal
import pytest
from sklearn.model_selection import GridSearchCV, ShuffleSplit

from skpose.datasets import make_poses
from skpose.ensemble import PoseEnsemble

distributed = pytest.importorskip(
    "distributed", reason="Dask is not installed: pip install skpose[dask]"
)


@pytest.fixture
def cluster(tmp_path):
    """Two worker processes of one thread each."""
    with (
        distributed.LocalCluster(
            n_workers=2,
            threads_per_worker=1,
            dashboard_address=None,
            local_directory=str(tmp_path),
            host="127.0.0.1",
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.mark.slow
def test_grid_search_on_two_workers(cluster):
    def tell(estimator, X, y):
        import os

        return {
            "score": estimator.score(X, y),
            "sigma": estimator.targets_.sigma,
            "process": os.getpid(),
        }

    X, y = make_poses(16, image_size=32, random_state=0)
    estimator = tiny_estimator()
    search = GridSearchCV(
        estimator,
        {"targets__sigma": [2.0, 4.0]},
        scoring=tell,
        refit="score",
        cv=ShuffleSplit(n_splits=1, test_size=0.25, random_state=0),
    )
    with joblib.parallel_config("dask"):
        search.fit(X, y)
    found = search.cv_results_
    assert_array_equal(found["mean_test_sigma"], [2, 4])
    assert np.isfinite(found["mean_test_score"]).all()
    assert search.best_score_ == max(found["mean_test_score"])
    workers = set(cluster.run(os.getpid).values())
    assert set(found["mean_test_process"]) <= workers - {os.getpid()}
    assert len(workers) == 2
    assert search.predict(X).shape == y.shape


@pytest.mark.slow
@pytest.mark.usefixtures("cluster")
def test_an_ensemble_is_trained_by_the_workers():
    X, y = make_poses(16, image_size=32, random_state=0)
    ensemble = PoseEnsemble(tiny_estimator(), n_estimators=2, random_state=0)
    with joblib.parallel_config("dask"):
        ensemble.fit(X, y)
    alone = PoseEnsemble(tiny_estimator(), n_estimators=2, random_state=0).fit(X, y)
    assert_allclose(ensemble.predict(X), alone.predict(X), atol=1e-2)
