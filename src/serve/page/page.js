"use strict";
(() => {
  const data = JSON.parse(document.getElementById("serve-data").textContent);
  const part = (id) => document.getElementById(id);
  const counts = { requests: 0, fallbacks: 0 };
  // Photographs are sent no larger than this: networks take far less, and phones send it sooner.
  const LARGEST = 1024;
  let stream = null;
  let shown = null;  // the URL of the photograph on the stage

  part("model").textContent = data.model;
  document.title = `${data.model} - anemone serve`;
  for (const [kind, features] of [["input", data.metadata.inputs], ["output", data.metadata.outputs]]) {
    for (const feature of features) {
      const row = part("features").tBodies[0].insertRow();
      for (const text of [`${kind} ${feature.name}`, feature.datatype, `[${feature.shape.map((n) => n < 0 ? "any" : n).join(", ")}]`]) {
        row.insertCell().textContent = text;
      }
    }
  }
  const what = data.classifies ? "--data-binary @photo.jpg" : "--data-binary @input.npy";
  part("example").textContent = `curl ${what} ${location.origin}/predict`;
  if (!data.classifies) return;
  part("classify").hidden = false;
  part("fault").hidden = !data.faults;

  function complain(text) {
    part("message").textContent = text;
    part("message").hidden = !text;
  }

  function show(answer, trip) {
    const rows = answer.classes.map((row) => {
      const item = document.createElement("li");
      const name = document.createElement("span");
      const score = document.createElement("span");
      const bar = document.createElement("span");
      name.className = "name";
      score.className = "score";
      bar.className = "bar";
      name.textContent = row.name === null ? `class ${row.index}` : row.name;
      score.textContent = row.score === null ? "not a number" : row.score.toPrecision(4);
      // Scores that are no probabilities have no share.
      if (row.score >= 0 && row.score <= 1) bar.style.width = `${100 * row.score}%`;
      item.append(name, score, bar);
      return item;
    });
    part("classes").replaceChildren(...rows);
    const report = answer.report;
    counts.requests += 1;
    const fell = report.fallback_reason !== "none";
    if (fell) counts.fallbacks += 1;
    part("backend").textContent = fell ? `${report.backend} (${report.fallback_reason})` : report.backend;
    part("backend").classList.toggle("changed", fell);
    part("latency").textContent = `${report.duration_ms.toFixed(2)} ms`;
    part("trip").textContent = `${trip.toFixed(1)} ms`;
    part("requests").textContent = counts.requests;
    part("fallbacks").textContent = counts.fallbacks;
    part("circuit").textContent = report.circuit_state;
    part("circuit").classList.toggle("changed", report.circuit_state !== "closed");
  }

  async function classify(blob) {
    const begin = performance.now();
    try {
      const response = await fetch("predict", { method: "POST", body: blob });
      const answer = await response.json();
      if (!response.ok) throw new Error(answer.error);
      complain("");
      show(answer, performance.now() - begin);
      return true;
    } catch (error) {
      complain(`It was not classified: ${error.message}`);
      return false;
    }
  }

  // What is drawn, as a file. PNG where it is small, so that nothing is lost.
  function asFile(source, width, height) {
    const scale = Math.min(1, LARGEST / Math.max(width, height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(width * scale));
    canvas.height = Math.max(1, Math.round(height * scale));
    canvas.getContext("2d").drawImage(source, 0, 0, canvas.width, canvas.height);
    const type = canvas.width * canvas.height <= 65536 ? "image/png" : "image/jpeg";
    return new Promise((resolve) => canvas.toBlob(resolve, type, 0.92));
  }

  async function take(file) {
    stopCamera();
    if (shown) URL.revokeObjectURL(shown);
    shown = URL.createObjectURL(file);
    const photo = part("photo");
    photo.src = shown;
    try {
      await photo.decode();
    } catch {
      return complain(`${file.name} is no image that this browser can show.`);
    }
    photo.hidden = false;
    part("hint").hidden = true;
    await classify(await asFile(photo, photo.naturalWidth, photo.naturalHeight));
  }

  function stopCamera() {
    if (!stream) return;
    for (const track of stream.getTracks()) track.stop();
    stream = null;
    part("video").hidden = true;
    part("camera").setAttribute("aria-pressed", "false");
    part("camera").textContent = "Camera";
  }

  async function startCamera() {
    if (!navigator.mediaDevices) return complain("Browsers give the camera to https and localhost only.");
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch (error) {
      return complain(`There is no camera: ${error.message}`);
    }
    const video = part("video");
    video.srcObject = stream;
    await video.play();
    video.hidden = false;
    part("photo").hidden = true;
    part("hint").hidden = true;
    part("camera").setAttribute("aria-pressed", "true");
    part("camera").textContent = "Stop the camera";
    // One frame after the other: the next one is taken when the last is answered.
    while (stream) {
      const begin = performance.now();
      const answered = await classify(await asFile(video, video.videoWidth, video.videoHeight));
      const rest = answered ? 50 - (performance.now() - begin) : 1000;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, rest)));
    }
  }

  part("file").addEventListener("change", (event) => {
    if (event.target.files.length) take(event.target.files[0]);
    event.target.value = "";
  });
  part("camera").addEventListener("click", () => (stream ? stopCamera() : startCamera()));
  part("fault").addEventListener("click", async () => {
    const response = await fetch("faults", { method: "POST", body: JSON.stringify({ count: 1 }) });
    if (!response.ok) return complain((await response.json()).error);
    // The photograph again, so that the fallback is seen; the camera's next frame shows it by itself.
    const photo = part("photo");
    if (!stream && !photo.hidden) await classify(await asFile(photo, photo.naturalWidth, photo.naturalHeight));
  });
  const stage = part("stage");
  for (const name of ["dragenter", "dragover"]) {
    stage.addEventListener(name, (event) => { event.preventDefault(); stage.classList.add("over"); });
  }
  stage.addEventListener("dragleave", () => stage.classList.remove("over"));
  stage.addEventListener("drop", (event) => {
    event.preventDefault();
    stage.classList.remove("over");
    if (event.dataTransfer.files.length) take(event.dataTransfer.files[0]);
  });
})();
