"""`anemone serve` over HTTP: the V2 protocol with NVIDIA's client, /predict against the library and Pillow, joined requests,
fallback, metrics, shutdown."""

import concurrent.futures
import io
import json
import signal
import socket
import subprocess
import time

import numpy as np
import onnx
import pytest
from conftest import make_classifier
from onnx import TensorProto, helper
from PIL import Image
from serving import COMMAND, Server, by_onnxruntime, make_rows

pytestmark = pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built; ./dev build makes it")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("serve")
    onnx.save(make_classifier(), str(root / "classifier.onnx"))
    make_rows(root / "rows.onnx")
    rng = np.random.default_rng(5)
    Image.fromarray(rng.integers(0, 256, (40, 30, 3), np.uint8)).save(root / "photo.png")
    return root


@pytest.fixture(scope="module")
def server(folder):
    with Server(folder / "classifier.onnx") as running:
        yield running


@pytest.fixture(scope="module")
def rows(folder):
    with Server(folder / "rows.onnx", "--input", "x:[1..16]x6", "--max-batch", "8", "--max-delay", "50") as running:
        yield running


def triton(server):
    module = pytest.importorskip("tritonclient.http", reason="tritonclient is not installed")
    return module, module.InferenceServerClient(f"127.0.0.1:{server.port}")


# --- The V2 protocol.


def test_the_protocol_with_tritonclient(server, folder, image):
    module, client = triton(server)
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(server.name)
    assert client.is_model_ready(server.name, "1") and not client.is_model_ready("other")
    assert client.get_server_metadata()["name"] == "anemone"
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    metadata = client.get_model_metadata(server.name)
    assert metadata["inputs"] == [{"name": "image", "datatype": "FP32", "shape": [1, 3, 14, 14]}]
    assert [output["name"] for output in metadata["outputs"]] == ["logits", "probabilities"]
    expected = by_onnxruntime(folder / "classifier.onnx", image=image)
    for binary_in in (True, False):
        for binary_out in (True, False):
            given = module.InferInput("image", list(image.shape), "FP32")
            given.set_data_from_numpy(image, binary_data=binary_in)
            wanted = [module.InferRequestedOutput(name, binary_data=binary_out) for name in ("probabilities", "logits")]
            result = client.infer(server.name, [given], outputs=wanted, request_id="r 7")
            answer = result.get_response()
            assert answer["id"] == "r 7" and answer["parameters"]["backend"] == "cpu"
            assert [output["name"] for output in answer["outputs"]] == ["probabilities", "logits"]
            for name, value in expected.items():
                np.testing.assert_allclose(result.as_numpy(name), value, rtol=1e-4, atol=1e-5)
    # Both ways give the same bits: JSON has as many digits as a float needs.
    given.set_data_from_numpy(image, binary_data=True)
    outputs = [[client.infer(server.name, [given], outputs=[module.InferRequestedOutput("logits", binary_data=binary)])
                .as_numpy("logits") for _ in range(2)] for binary in (True, False)]
    assert outputs[0][0].tobytes() == outputs[1][1].tobytes()
    client.close()


@pytest.mark.parametrize("compression", ["gzip", "deflate"])
def test_compressed_requests(server, image, compression):
    module, client = triton(server)
    given = module.InferInput("image", list(image.shape), "FP32")
    given.set_data_from_numpy(image)
    plain = client.infer(server.name, [given]).as_numpy("logits")
    packed = client.infer(server.name, [given], request_compression_algorithm=compression).as_numpy("logits")
    np.testing.assert_array_equal(plain, packed)
    client.close()


def test_half_precision_and_doubles_are_taken(server, image):
    module, client = triton(server)
    exact = image.astype(np.float16)
    results = []
    for datatype, dtype in (("FP16", np.float16), ("FP32", np.float32), ("FP64", np.float64)):
        given = module.InferInput("image", list(image.shape), datatype)
        given.set_data_from_numpy(exact.astype(dtype))
        results.append(client.infer(server.name, [given]).as_numpy("logits"))
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])
    client.close()


def infer_document(shape=(1, 3, 14, 14), data=None, **more):
    count = int(np.prod(shape))
    return {"inputs": [{"name": "image", "datatype": "FP32", "shape": list(shape),
                        "data": [0.5] * count if data is None else data, **more}]}


@pytest.mark.parametrize("document, words", [
    ([], "JSON object"),
    ({}, '"inputs" must be a list'),
    ({"inputs": []}, "image"),
    (infer_document(data=[1.0]), "has 1 numbers"),
    (infer_document(shape=(1, 3, 14, 15)), "image"),
    (infer_document(shape=(1 << 20, 1 << 20, 1 << 20, 1 << 20), data=[]), "too many"),
    (infer_document(shape=(-1,), data=[]), "list of sizes"),
    (infer_document(data=["a"]), "numbers and booleans"),
    (infer_document(data=[None]), "numbers and booleans"),
    (infer_document(data={"a": 1}), "numbers and booleans"),
    (infer_document(data=[[1.0], 2.0]), "unevenly"),
    (infer_document(data=[1.0, [2.0]]), "unevenly"),
    (infer_document(data=[[1.0], [1.0, 2.0]]), "different lengths"),
    (infer_document(datatype="FP31"), "FP31"),
    (infer_document(datatype="BYTES"), "BYTES"),
    (infer_document(datatype="INT8"), "0.5"),
    (infer_document(data=[1e300] * 588), "1e+300"),
    (infer_document(parameters={"binary_data_size": 10}), "0 bytes are left"),
    ({"inputs": [infer_document()["inputs"][0]] * 2}, "twice"),
    ({**infer_document(), "outputs": [{"name": "nothing"}]}, "logits, probabilities"),
    ({**infer_document(), "outputs": [{}]}, "name"),
    ({"inputs": [{**infer_document()["inputs"][0], "name": "other"}]}, "other"),
    ({"inputs": [{"x": [[]] * 20000}]}, "too many values"),
])
def test_wrong_requests_are_told_why(server, document, words):
    status, answer = server.post_json(f"/v2/models/{server.name}/infer", document)
    assert status == 400, answer
    assert set(answer) == {"error", "code", "message", "place", "advice"}
    assert words in answer["error"], answer


def test_what_is_not_supported_says_so(server):
    document = {**infer_document(), "outputs": [{"name": "logits", "parameters": {"classification": 3}}]}
    status, answer = server.post_json(f"/v2/models/{server.name}/infer", document)
    assert status == 501 and "/predict" in answer["advice"]
    status, answer = server.post_json(f"/v2/models/{server.name}/infer",
                                      {**infer_document(), "parameters": {"sequence_id": 3}})
    assert status == 501 and "sequences" in answer["message"]


def test_a_tritonclient_sees_the_text_of_an_error(server):
    module, client = triton(server)
    from tritonclient.utils import InferenceServerException
    given = module.InferInput("image", [1, 3, 2, 2], "FP32")
    given.set_data_from_numpy(np.zeros((1, 3, 2, 2), np.float32))
    with pytest.raises(InferenceServerException, match="image"):
        client.infer(server.name, [given])
    with pytest.raises(InferenceServerException, match="no such model"):
        client.get_model_metadata("other")
    client.close()


# --- /predict


def test_predict_takes_json_arrays_and_images(server, folder, image):
    expected = by_onnxruntime(folder / "classifier.onnx", image=image)
    status, answer = server.post_json("/predict", {"image": image.tolist()})
    assert status == 200, answer
    for name, value in expected.items():
        np.testing.assert_allclose(np.reshape(answer["outputs"][name]["data"], answer["outputs"][name]["shape"]), value,
                                   rtol=1e-4, atol=1e-5)
    assert answer["report"]["backend"] == "cpu" and answer["report"]["fallback_reason"] == "none"
    best = np.argsort(-expected["logits"][0], kind="stable")[:5]
    assert [row["index"] for row in answer["classes"]] == best.tolist()

    npy = io.BytesIO()
    np.save(npy, image)
    status, headers, body = server.request("POST", "/predict?output=logits", npy.getvalue(), {"Accept": "application/x-npy"})
    assert status == 200 and headers["Content-Type"] == "application/x-npy" and headers["Anemone-Backend"] == "cpu"
    np.testing.assert_allclose(np.load(io.BytesIO(body)), expected["logits"], rtol=1e-4, atol=1e-5)
    # An array in Fortran's order and as doubles is the same array.
    npy = io.BytesIO()
    np.save(npy, np.asfortranarray(image.astype(np.float64)))
    again = np.load(io.BytesIO(server.request("POST", "/predict?output=logits&input=image", npy.getvalue(),
                                              {"Accept": "application/x-npy"})[2]))
    np.testing.assert_array_equal(again, np.load(io.BytesIO(body)))
    assert server.request("POST", "/predict", npy.getvalue(), {"Accept": "application/x-npy"})[0] == 400

    # The photograph as evaluations prepare it, with Pillow as the oracle.
    photo = Image.open(folder / "photo.png")
    side = int(0.875 * 30)
    left, top = round((30 - side) / 2), round((40 - side) / 2)
    small = photo.crop((left, top, left + side, top + side)).resize((14, 14), Image.BICUBIC)
    mean, deviation = np.array([0.485, 0.456, 0.406], np.float32), np.array([0.229, 0.224, 0.225], np.float32)
    pixels = ((np.asarray(small, np.float32) / 255 - mean) / deviation).transpose(2, 0, 1)[None]
    status, _, body = server.request("POST", "/predict", (folder / "photo.png").read_bytes())
    assert status == 200, body
    np.testing.assert_allclose(json.loads(body)["outputs"]["logits"]["data"],
                               by_onnxruntime(folder / "classifier.onnx", image=pixels)["logits"][0], rtol=1e-3, atol=1e-4)


def test_pixels_and_classes_of_a_core_ml_classifier(folder):
    (folder / "labels.txt").write_text("".join(f"class {i}\n" for i in range(10)))
    package = folder / "labeled.mlpackage"
    subprocess.run([str(COMMAND), "convert", str(folder / "classifier.onnx"), "-o", str(package), "--image-input", "image",
                    "--scale", "255", "--labels", str(folder / "labels.txt"), "--probabilities-output", "probabilities"],
                   check=True, capture_output=True)
    ran = json.loads(subprocess.run([str(COMMAND), "run", str(package), "--input", str(folder / "photo.png"), "--json"],
                                    check=True, capture_output=True).stdout)
    probabilities = next(output for output in ran["outputs"] if output["dtype"] == "fp32" and len(output["first_values"]) == 10)
    with Server(package) as running:
        status, _, body = running.request("POST", "/predict", (folder / "photo.png").read_bytes())
        assert status == 200, body
        answer = json.loads(body)
        assert answer["classes"][0]["name"] == probabilities["label"]
        np.testing.assert_allclose(answer["outputs"][probabilities["name"]]["data"], probabilities["first_values"], rtol=1e-6)
        module, client = triton(running)
        metadata = client.get_model_metadata(running.name)
        assert {output["datatype"] for output in metadata["outputs"]} == {"INT32", "FP32"}
        client.close()


# --- Requests that are joined.


def test_joined_requests_give_what_each_gives_alone(rows, folder):
    rng = np.random.default_rng(9)
    inputs = [rng.standard_normal((int(rng.integers(1, 4)), 6)).astype(np.float32) for _ in range(40)]

    def ask(x):
        return rows.post_json("/predict", {"x": x.tolist()})

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(ask, inputs))
    for x, (status, answer) in zip(inputs, answers):
        assert status == 200, answer
        expected = by_onnxruntime(folder / "rows.onnx", x=x)
        outputs = {name: np.reshape(output["data"], output["shape"]) for name, output in answer["outputs"].items()}
        np.testing.assert_allclose(outputs["y"], expected["y"], rtol=1e-5, atol=1e-6)
        np.testing.assert_array_equal(outputs["z"], expected["z"])
        assert len(x) <= answer["report"]["batch"] <= 8
    assert rows.metric("anemone_serve_joined_requests_total") >= 2
    assert rows.metric("anemone_serve_calls_total") < 40
    # A request that is wrong does not spoil those that it would run with.
    bad, good = {"x": [[1.0] * 5]}, {"x": [[1.0] * 6]}
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda document: rows.post_json("/predict", document), [good, bad] * 4))
    assert [status for status, _ in answers] == [200, 400] * 4


@pytest.mark.parametrize("model, arguments, words", [
    ("classifier.onnx", [], "is fixed"),
    ("mixed.onnx", ["--input", "x:[1..16]x6"], "depends on the other rows"),
])
def test_joining_is_refused_where_rows_are_not_independent(folder, model, arguments, words):
    node = helper.make_node("Softmax", ["x"], ["y"], axis=0)
    graph = helper.make_graph([node], "mixed", [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 6])],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 6])])
    mixed = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    mixed.ir_version = 8
    onnx.save(mixed, str(folder / "mixed.onnx"))
    done = subprocess.run([str(COMMAND), "serve", str(folder / model), "--address", "127.0.0.1:0", "--max-batch", "4",
                           *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2, done.stderr
    assert words in done.stderr and "--max-batch" in done.stderr


# --- Faults, metrics, the description.


def test_an_injected_fault_is_answered_by_the_fallback(folder, image):
    with Server(folder / "classifier.onnx", "--allow-fault-injection") as running:
        _, before = running.post_json("/predict", {"image": image.tolist()})
        assert before["report"]["backend"] == "fault_injection" and before["report"]["fallback_reason"] == "none"
        assert running.metric("anemone_circuit_state", backend="fault_injection", state="closed") == 1
        assert running.post_json("/faults", {"count": 1})[0] == 200
        status, answer = running.post_json("/predict", {"image": image.tolist()})
        assert status == 200
        assert answer["report"]["backend"] == "cpu" and answer["report"]["fallback_reason"] == "runtime_error"
        assert answer["outputs"] == before["outputs"]
        assert running.metric("anemone_fallbacks_total", reason="runtime_error") == 1
        # One failure after the other opens the circuit; then calls do not even try.
        running.post_json("/faults", {"count": 1000})
        for _ in range(10):
            status, answer = running.post_json("/predict", {"image": image.tolist()})
            assert status == 200 and answer["outputs"] == before["outputs"]
        assert running.metric("anemone_circuit_state", backend="fault_injection", state="closed") == 0
        assert running.metric("anemone_fallbacks_total", reason="circuit_open") > 0
        for wrong in ({}, {"count": 0}, {"count": "1"}, {"count": 10**12}, []):
            assert running.post_json("/faults", wrong)[0] == 400


def test_faults_need_the_flag(server):
    status, answer = server.post_json("/faults", {"count": 1})
    assert status == 403 and "--allow-fault-injection" in answer["advice"]


def test_metrics_count_requests(server, image):
    def now():
        return (server.metric("anemone_http_requests_total", route="predict", status="200"),
                server.metric("anemone_http_requests_total", route="none", status="404"),
                server.metric("anemone_attempts_total", phase="inference", outcome="success"),
                server.metric("anemone_http_request_duration_seconds_count", route="predict"))
    before = now()
    for _ in range(3):
        assert server.post_json("/predict", {"image": image.tolist()})[0] == 200
        assert server.request("GET", "/nothing/here")[0] == 404
    assert [b - a for a, b in zip(before, now())] == [3, 3, 3, 3]
    parser = pytest.importorskip("prometheus_client.parser", reason="prometheus_client is not installed")
    families = list(parser.text_string_to_metric_families(server.get("/metrics").decode()))
    assert {"anemone_http_requests", "anemone_inference_duration_seconds"} <= {family.name for family in families}


def test_the_description_is_openapi(server):
    document = json.loads(server.get("/openapi.json"))
    assert f"/v2/models/{server.name}/infer" in document["paths"]
    for path in document["paths"]:
        if "get" in document["paths"][path]:
            server.get(path)
    validator = pytest.importorskip("openapi_spec_validator", reason="openapi-spec-validator is not installed")
    validator.validate(document)


def test_paths_and_methods(server):
    assert json.loads(server.get("/v2"))["name"] == "anemone"
    for path in ("/v2/models", "/v2/models/", "/v2/models/x", f"/v2/models/{server.name}x",
                 f"/v2/models/{server.name}/versions/2", "/../etc/passwd", "/%2e%2e/etc/passwd", "/v2/health"):
        assert server.request("GET", path)[0] == 404, path
    status, headers, _ = server.request("GET", "/predict")
    assert status == 405 and headers["Allow"] == "POST"
    for method in ("PUT", "PATCH", "DELETE"):
        assert server.request(method, "/predict", b"{}")[0] == 405
    status, headers, body = server.request("HEAD", "/v2")
    assert status == 200 and body == b"" and headers["X-Content-Type-Options"] == "nosniff"


# --- The end.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_lets_running_requests_end(folder, number):
    """A request waits for others to join it while the signal comes; it is answered, and new ones are not."""
    running = Server(folder / "rows.onnx", "--input", "x:[1..16]x6", "--max-batch", "16", "--max-delay", "1500")
    body = json.dumps({"x": [[0.5] * 6]}).encode()
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = [pool.submit(running.request, "POST", "/predict", body) for _ in range(4)]
        time.sleep(0.4)
        begin = time.monotonic()
        assert running.stop(number) == 0
        assert time.monotonic() - begin < 5
        assert [answer.result()[0] for answer in answers] == [200] * 4
    assert "4 requests were answered" in running.errors
    with pytest.raises(OSError):
        socket.create_connection(("127.0.0.1", running.port), timeout=1)


def test_a_server_in_the_background_outlives_an_interrupt(folder):
    with Server(folder / "rows.onnx", "--input", "x:[1..16]x6", on_interrupt=signal.SIG_IGN) as running:
        running.process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        assert running.request("GET", "/v2/health/live")[0] == 200


def test_a_slow_client_does_not_hold_up_the_end(folder):
    running = Server(folder / "rows.onnx", "--input", "x:[1..16]x6")
    with socket.create_connection(("127.0.0.1", running.port)) as sock:
        sock.sendall(b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        time.sleep(0.2)
        begin = time.monotonic()
        assert running.stop() == 0
        assert time.monotonic() - begin < 4


@pytest.mark.parametrize("arguments, code, words", [
    (["--address", "nonsense"], 2, "HOST:PORT"), (["--address", "127.0.0.1:70000"], 2, "HOST:PORT"),
    (["--name", "a/b"], 2, "--name"), (["--timeout", "0"], 2, "timeout"), (["--max-body", "0"], 2, "max_body"),
])
def test_wrong_options(folder, arguments, code, words):
    done = subprocess.run([str(COMMAND), "serve", str(folder / "classifier.onnx"), *arguments], capture_output=True,
                          text=True, timeout=60, check=False)
    assert done.returncode == code and words in done.stderr, done.stderr


def test_a_port_that_is_taken(server, folder):
    done = subprocess.run([str(COMMAND), "serve", str(folder / "classifier.onnx"), "--address", f"127.0.0.1:{server.port}"],
                          capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 3 and "port" in done.stderr, done.stderr
