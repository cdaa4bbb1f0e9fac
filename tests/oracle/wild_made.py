"""Core ML files that converters of others make, from models trained here on seeded data; the twin is that model.

The converters: coremltools' of scikit-learn, XGBoost, LIBSVM and PyTorch, CatBoost's own writer, onnx2coreml.
"""
import contextlib
import io
import pathlib

import numpy as np

from wild_files import File

ROWS, COLUMNS = 120, 4
NAMES = [f"f{i}" for i in range(COLUMNS)]


def data(seed=0):
    random = np.random.default_rng(seed)
    features = random.standard_normal((ROWS, COLUMNS))
    target = features @ [2.0, -1.0, 0.5, 0.0] + np.sin(3 * features[:, 0])
    return features, target


def classes(count):
    features, target = data()
    return features, np.digitize(target, np.quantile(target, np.linspace(0, 1, count + 1)[1:-1]))


class Estimator:
    """An estimator of scikit-learn's interface, asked as the Core ML file is: by feature names, or by one array."""

    def __init__(self, model, probabilities="classProbability", label="target", value="target", row=None):
        self.model, self.probabilities, self.label, self.value = model, probabilities, label, value
        self.row = row or (lambda inputs: [[inputs[name] for name in NAMES] if NAMES[0] in inputs
                                           else np.ravel(next(iter(inputs.values())))])

    def predict(self, inputs):
        row = np.asarray(self.row(inputs))
        answer = np.ravel(self.model.predict(row))[0]
        if self.label is None:
            return {self.value: answer}
        outputs = {self.label: answer}
        if self.probabilities and hasattr(self.model, "predict_proba"):
            outputs[self.probabilities] = dict(zip(self.model.classes_, self.model.predict_proba(row)[0]))
        return outputs


def quietly(action, *arguments, **options):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return action(*arguments, **options)


class Made:
    """A file that is made on first use; `train` gives the estimator, `convert` writes it."""

    def __init__(self, name, train, convert, twin, twin_name, **fields):
        self.train, self.convert, self.estimator = train, convert, None
        path = name.replace(" ", "_").replace(",", "").replace("=", "-").replace(":", "") + fields.pop("ending", ".mlmodel")
        self.file = File(name=name, path=path, group="made", make=self.make, twin=lambda folder: twin(self.estimator),
                         twin_name=twin_name, **{"tolerance": 1e-6, "samples": 20, **fields})

    def make(self, folder):
        if self.estimator is None:
            self.estimator = self.train()
            quietly(self.convert, self.estimator, folder / self.file.path)


def scikit(name, train, twin=None, **fields):
    def convert(model, path):
        import coremltools
        coremltools.converters.sklearn.convert(model, NAMES, "target").save(str(path))

    return Made(f"scikit-learn: {name}", train, convert, twin or Estimator, "scikit-learn", **fields).file


def regressor(model):
    return Estimator(model, label=None)


def scikit_files():
    from sklearn import ensemble, linear_model, neighbors, svm, tree

    def fit(model, target=None, count=2):
        return lambda: model.fit(*(data() if target == "number" else classes(count)))

    def number(model):
        return fit(model, "number")

    single = {"tolerance": 1e-5}
    return [
        scikit("LinearRegression", number(linear_model.LinearRegression()), regressor),
        scikit("Ridge", number(linear_model.Ridge()), regressor),
        scikit("LinearSVR", number(svm.LinearSVR(random_state=0)), regressor),
        scikit("SVR, radial", number(svm.SVR(gamma=0.3)), regressor),
        scikit("SVR, polynomial", number(svm.SVR(kernel="poly", gamma=0.3, degree=2, coef0=1.0)), regressor),
        scikit("NuSVR, sigmoid", number(svm.NuSVR(kernel="sigmoid", gamma=0.1)), regressor),
        scikit("DecisionTreeRegressor", number(tree.DecisionTreeRegressor(max_depth=6, random_state=0)), regressor),
        scikit("RandomForestRegressor", number(ensemble.RandomForestRegressor(12, random_state=0)), regressor),
        scikit("LogisticRegression, 2 classes", fit(linear_model.LogisticRegression(multi_class="ovr"))),
        scikit("LogisticRegression, 4 classes", fit(linear_model.LogisticRegression(multi_class="ovr"), count=4)),
        scikit("LinearSVC", fit(svm.LinearSVC(random_state=0), count=3), lambda model: Label(model)),
        scikit("SVC, 2 classes", fit(svm.SVC(gamma=0.5, probability=True, random_state=0)), lambda model: Margin(model),
               tolerance=5e-3, note="its LIBSVM stops within 0.0025 of the probabilities"),
        scikit("SVC, 4 classes", fit(svm.SVC(gamma=0.5, random_state=0), count=4), lambda model: Label(model)),
        scikit("NuSVC, 3 classes", fit(svm.NuSVC(gamma=0.5, random_state=0), count=3), lambda model: Label(model)),
        scikit("DecisionTreeClassifier", fit(tree.DecisionTreeClassifier(max_depth=6, random_state=0), count=3)),
        scikit("RandomForestClassifier", fit(ensemble.RandomForestClassifier(12, random_state=0), count=3),
               lambda model: Votes(model), note="its converter writes the sum over the trees, not the mean"),
        scikit("GradientBoostingClassifier", fit(ensemble.GradientBoostingClassifier(n_estimators=10, random_state=0))),
        scikit("KNeighborsClassifier, brute", fit(neighbors.KNeighborsClassifier(5, algorithm="brute"), count=3), **single),
        scikit("KNeighborsClassifier, kd_tree", fit(neighbors.KNeighborsClassifier(4, algorithm="kd_tree"), count=3), **single),
        *scikit_transforms(),
    ]


class Label(Estimator):
    """Only the label is compared: the probabilities are of a form that the estimator does not give."""

    def predict(self, inputs):
        return {self.label: super().predict(inputs)[self.label]}


class Votes(Estimator):
    """The probabilities times the number of trees."""

    def predict(self, inputs):
        outputs = super().predict(inputs)
        count = len(self.model.estimators_)
        return {**outputs, "classProbability": {key: count * value for key, value in outputs["classProbability"].items()}}


class Margin(Estimator):
    """The label of the margin, and the probabilities: LIBSVM takes the label from the larger probability instead."""

    def predict(self, inputs):
        row = np.asarray(self.row(inputs))
        probabilities = dict(zip(self.model.classes_, self.model.predict_proba(row)[0]))
        return {"target": max(probabilities, key=probabilities.get), "classProbability": probabilities}


def scikit_transforms():
    from sklearn import impute, pipeline, preprocessing, linear_model, feature_extraction

    class Transform:
        def __init__(self, model):
            self.model = model

        def predict(self, inputs):
            row = [np.ravel(next(iter(inputs.values())))]
            return {"target": np.asarray(self.model.transform(row))[0]}

    def convert(model, path):
        import coremltools
        coremltools.converters.sklearn.convert(model, "input", "target").save(str(path))

    def transform(name, train, **fields):
        return Made(f"scikit-learn: {name}", train, convert, Transform, "scikit-learn",
                    **{"tolerance": 1e-6, **fields}).file

    def holed(random):
        values = random.standard_normal(COLUMNS)
        values[1] = np.nan
        return values

    class Vectorizer:
        def __init__(self, model):
            self.model = model

        def predict(self, inputs):
            return {"target": self.model.transform([inputs["input"]]).toarray()[0]}

    def one_hot():
        codes = np.random.default_rng(0).integers(0, 3, (ROWS, 2))
        return preprocessing.OneHotEncoder(categories=[range(3), range(3)], handle_unknown="ignore").fit(codes)

    bags = [{"tea": 1.0, "milk": 2.0}, {"milk": 1.0, "sugar": 4.0}]

    def words(random):
        return {word: float(random.integers(0, 5)) for word in ["tea", "sugar", "milk"]}

    return [
        transform("StandardScaler", lambda: preprocessing.StandardScaler().fit(data()[0])),
        transform("SimpleImputer", lambda: impute.SimpleImputer().fit(data()[0]), inputs={"input": holed}),
        Made("scikit-learn: DictVectorizer", lambda: feature_extraction.DictVectorizer().fit(bags), convert, Vectorizer,
             "scikit-learn", inputs={"input": words}).file,
        scikit("Pipeline of StandardScaler and LogisticRegression",
               lambda: pipeline.make_pipeline(preprocessing.StandardScaler(),
                                              linear_model.LogisticRegression(multi_class="ovr")).fit(*classes(2))),
    ]


def xgboost_files():
    import xgboost

    def convert(mode, classes_count=None):
        def write(model, path):
            import coremltools
            coremltools.converters.xgboost.convert(model, feature_names=NAMES, target="target", force_32bit_float=False,
                                                   mode=mode, n_classes=classes_count).save(str(path))
        return write

    def train(kind, count=None, **options):
        def fit():
            features, target = classes(count) if count else data()
            return kind(n_estimators=15, max_depth=4, random_state=0, **options).fit(features, target)
        return fit

    fields = {"tolerance": 1e-5}
    return [
        Made("XGBoost: regressor", train(xgboost.XGBRegressor, base_score=0.5), convert("regressor"), regressor, "XGBoost",
             **fields).file,
        Made("XGBoost: classifier, 2 classes", train(xgboost.XGBClassifier, 2, base_score=0.5), convert("classifier", 2),
             Estimator, "XGBoost", **fields).file,
        Made("XGBoost: classifier, 3 classes", train(xgboost.XGBClassifier, 3, base_score=0.5), convert("classifier", 3),
             Estimator, "XGBoost", **fields).file,
    ]


def catboost_files():
    import catboost

    def write(model, path):
        model.save_model(str(path), format="coreml", export_parameters={"prediction_type": "raw"})

    class Raw:
        """What the file gives: the raw sum of the trees, by features that are numbered from 0."""

        def __init__(self, model):
            self.model = model

        def predict(self, inputs):
            row = [inputs[f"feature_{i}"] for i in range(COLUMNS)]
            return {"prediction": self.model.predict([row], prediction_type="RawFormulaVal")[0]}

    def train(kind, target, **options):
        def fit():
            features, numbers = target()
            model = kind(iterations=20, depth=4, verbose=False, allow_writing_files=False, random_seed=0, thread_count=1,
                         **options)
            return model.fit(features, numbers)
        return fit

    return [
        Made("CatBoost: regressor", train(catboost.CatBoostRegressor, data), write, Raw, "CatBoost").file,
        Made("CatBoost: classifier, 2 classes", train(catboost.CatBoostClassifier, lambda: classes(2)), write, Raw,
             "CatBoost").file,
    ]


def libsvm_files():
    from libsvm import svmutil

    def train(options, target):
        def fit():
            features, numbers = target()
            return svmutil.svm_train(list(map(float, numbers)), features.tolist(), options + " -q")
        return fit

    def convert(model, path):
        import coremltools
        import libsvm.svm
        libsvm.__version__ = "3.24"
        # The converter knows the names that LIBSVM's module had before its types became an enumeration.
        for number, kind in enumerate(["C_SVC", "NU_SVC", "ONE_CLASS", "EPSILON_SVR", "NU_SVR"]):
            setattr(libsvm.svm, kind, number)
        for number, kernel in enumerate(["LINEAR", "POLY", "RBF", "SIGMOID", "PRECOMPUTED"]):
            setattr(libsvm.svm, kernel, number)
        coremltools.converters.libsvm.convert(model, NAMES, "target").save(str(path))

    def row(inputs):
        return [[float(inputs[name]) for name in NAMES]]

    class Value:
        def __init__(self, model):
            self.model = model

        def predict(self, inputs):
            labels, _, _ = quietly(svmutil.svm_predict, [0], row(inputs), self.model, "-q")
            return {"target": labels[0]}

    class Probability:
        def __init__(self, model):
            self.model = model

        def predict(self, inputs):
            labels, _, values = quietly(svmutil.svm_predict, [0], row(inputs), self.model, "-b 1 -q")
            return {"target": int(labels[0]), "classProbability": dict(zip(self.model.get_labels(), values[0]))}

    return [
        Made("LIBSVM: epsilon-SVR", train("-s 3 -t 2 -g 0.3", data), convert, Value, "LIBSVM").file,
        Made("LIBSVM: nu-SVR, polynomial", train("-s 4 -t 1 -d 3 -g 0.2", data), convert, Value, "LIBSVM").file,
        Made("LIBSVM: C-SVC with probabilities, 3 classes", train("-s 0 -t 2 -g 0.5 -b 1", lambda: classes(3)), convert,
             Probability, "LIBSVM", tolerance=1e-5).file,
        Made("LIBSVM: C-SVC with probabilities, 2 classes", train("-s 0 -t 0 -b 1", lambda: classes(2)), convert,
             Probability, "LIBSVM", tolerance=1e-5).file,
    ]


def onnx_files():
    """Networks of the onnx package's own tests, which onnx2coreml converts to both forms."""
    import onnx
    from wild import OnnxTwin
    light = pathlib.Path(onnx.__file__).parent / "backend/test/data/light"
    files = []
    for name in ["light_squeezenet", "light_inception_v2", "light_densenet121"]:
        for form, ending in [("mlpackage", ".mlpackage"), ("mlmodel", ".mlmodel")]:
            def convert(model, path, form=form):
                import onnx2coreml
                options = {"compute_precision": "fp32"} if form == "mlpackage" else {}
                onnx2coreml.convert(str(model), format=form, **options).save(str(path))

            files.append(Made(f"onnx2coreml: {name}, {form}", lambda name=name: light / f"{name}.onnx", convert,
                              lambda path: OnnxTwin(path), "ONNX Runtime", ending=ending, samples=1, tolerance=1e-4).file)
    return files


def torch_files():
    """Networks of torchvision with seeded weights, which coremltools converts to both forms."""
    import torch
    import torchvision
    size = 96

    def build(name):
        torch.manual_seed(0)
        model = getattr(torchvision.models, name)(weights=None).eval()
        # Statistics as training leaves them; those that a new model has would do nothing.
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2)
                module.running_var.uniform_(0.5, 1.5)
        return torch.jit.trace(model, torch.zeros(1, 3, size, size))

    class Network:
        def __init__(self, model):
            self.model = model

        def predict(self, inputs):
            with torch.no_grad():
                return {"scores": self.model(torch.from_numpy(inputs["x"])).numpy()}

    found = []
    for name in ["resnet18", "mobilenet_v2", "mobilenet_v3_small", "squeezenet1_1", "shufflenet_v2_x0_5", "mnasnet0_5",
                 "efficientnet_b0", "regnet_y_400mf"]:
        for form, ending in [("mlprogram", ".mlpackage"), ("neuralnetwork", ".mlmodel")]:
            def convert(model, path, form=form):
                import coremltools
                precise = {"compute_precision": coremltools.precision.FLOAT32} if form == "mlprogram" else {}
                model = coremltools.convert(model, inputs=[coremltools.TensorType(name="x", shape=(1, 3, size, size))],
                                            outputs=[coremltools.TensorType(name="scores")], convert_to=form, **precise)
                model.save(str(path))

            found.append(Made(f"coremltools: torchvision {name}, {form}", lambda name=name: build(name), convert, Network,
                              "PyTorch", ending=ending, samples=1, tolerance=1e-4).file)
    return found


def files():
    return scikit_files() + xgboost_files() + catboost_files() + libsvm_files() + onnx_files() + torch_files()
