"""Models that are not programs, against scikit-learn; the document of model types."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import anemone

ROOT = Path(__file__).resolve().parents[2]
coremltools = pytest.importorskip("coremltools")
sklearn = pytest.importorskip("sklearn")
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier, RandomForestRegressor  # noqa: E402
from sklearn.linear_model import LinearRegression, LogisticRegression  # noqa: E402
from sklearn.neighbors import KNeighborsClassifier  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402
from sklearn.svm import SVC, SVR  # noqa: E402

NAMES = ["a", "b", "c", "d"]


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(7)
    # Single precision, as scikit-learn's trees take their inputs.
    return random.standard_normal((80, len(NAMES))).astype(np.float32).astype(np.float64)


def convert(model, tmp_path, outputs):
    path = tmp_path / "model.mlmodel"
    coremltools.converters.sklearn.convert(model, NAMES, outputs).save(str(path))
    return anemone.FeatureModel(path)


@pytest.mark.parametrize("regressor", [
    LinearRegression(), RandomForestRegressor(n_estimators=7, random_state=0), SVR(kernel="rbf"),
    SVR(kernel="poly", degree=3), SVR(kernel="sigmoid"), make_pipeline(StandardScaler(), LinearRegression())])
def test_regressors_agree_with_scikit_learn(regressor, data, tmp_path):
    regressor.fit(data, data @ [1.0, -2.0, 0.5, 3.0] + 0.25)
    model = convert(regressor, tmp_path, "y")
    given = [model.predict(dict(zip(NAMES, row)))["y"] for row in data]
    np.testing.assert_allclose(given, regressor.predict(data), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("classifier", [
    LogisticRegression(multi_class="ovr"), RandomForestClassifier(n_estimators=5, random_state=0),
    GradientBoostingClassifier(n_estimators=4, random_state=0), SVC(probability=True, random_state=0)])
def test_classifiers_agree_with_scikit_learn(classifier, classes, data, tmp_path):
    if isinstance(classifier, GradientBoostingClassifier) and classes > 2:
        pytest.skip("coremltools 9.0 does not convert it with NumPy 2.4")
    classifier.fit(data, (np.arange(len(data)) * 7) % classes + 1)
    model = convert(classifier, tmp_path, "label")
    # scikit-learn couples the probabilities of two classes too, which shifts them a little.
    tolerance = 5e-3 if isinstance(classifier, SVC) and classes == 2 else 1e-6
    # coremltools scales the votes of a forest for two classes only: of more, the sum is the number of trees.
    scale = classifier.n_estimators if isinstance(classifier, RandomForestClassifier) and classes > 2 else 1
    for row, expected in zip(data, classifier.predict_proba(data) * scale):
        outputs = model.predict(dict(zip(NAMES, row)))
        probabilities = outputs["classProbability"]
        assert outputs["label"] == max(probabilities, key=probabilities.get)
        np.testing.assert_allclose([probabilities[int(name)] for name in classifier.classes_], expected, atol=tolerance)


def test_nearest_neighbors_agree_with_scikit_learn(data, tmp_path):
    neighbors = KNeighborsClassifier(n_neighbors=3, algorithm="brute").fit(data, np.arange(len(data)) % 3)
    path = tmp_path / "model.mlmodel"
    coremltools.converters.sklearn.convert(neighbors, "x", "label").save(str(path))
    model = anemone.FeatureModel(path)
    given = [model.predict({"x": row.astype(np.float32)})["label"] for row in data]
    assert given == list(neighbors.predict(data))


def test_it_describes_itself_and_refuses_what_does_not_fit(data, tmp_path):
    model = convert(LinearRegression().fit(data, data[:, 0]), tmp_path, "y")
    assert model.type == "pipelineRegressor" or model.type == "glmRegressor"
    assert model.input_description["a"]["kind"] == "double"
    assert model.inspect()["schema"] == "anemone.inspect"
    with pytest.raises(anemone.Error, match="input 'd' is missing"):
        model.predict(dict(zip(NAMES[:3], data[0])))
    with pytest.raises(anemone.Error, match="it takes a double, not a text"):
        model.predict({**dict(zip(NAMES, data[0])), "a": "1"})
    with pytest.raises(anemone.Error, match="not a program of operators"):
        anemone.load(tmp_path / "model.mlmodel")


def test_dictionaries_and_texts(tmp_path):
    from sklearn.feature_extraction import DictVectorizer

    rows = [{"rooms": 3.0, "town=Oslo": 1.0}, {"rooms": 2.0, "town=Bergen": 1.0}]
    vectorizer = DictVectorizer().fit(rows)
    path = tmp_path / "model.mlmodel"
    coremltools.converters.sklearn.convert(vectorizer, "x", "y").save(str(path))
    expected = vectorizer.transform(rows).toarray()
    for row, values in zip(rows, expected):
        np.testing.assert_array_equal(anemone.FeatureModel(path).predict({"x": row})["y"], values)


def test_the_document_of_model_types_is_what_the_table_says():
    if not (ROOT / "build" / "bin" / "anemone").exists():
        pytest.skip("the command is not built")
    done = subprocess.run([sys.executable, ROOT / "tools" / "model_types.py", "--check"], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0, done.stderr
