"use strict";
(() => {
  const lab = JSON.parse(document.getElementById("lab-data").textContent);
  const byId = (id) => document.getElementById(id);
  const variants = lab.variants.filter((variant) => variant.result);
  const measureNames = {
    top1: "top-1, percent", agreement: "agreement with the reference, percent",
    relative_squared_error: "squared error, percent of the reference's power",
  };

  // ---- small helpers: text goes in as text, never as markup ----
  const element = (name, text, attributes = {}) => {
    const made = document.createElement(name);
    if (text !== undefined && text !== null) made.textContent = text;
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const number = (value, digits = 3) => {
    if (value === null || value === undefined) return "unknown";
    if (Number.isInteger(value)) return String(value);
    const size = Math.abs(value);
    if (size !== 0 && (size < 1e-3 || size >= 1e5)) return value.toExponential(digits - 1);
    return String(Number(value.toPrecision(digits)));
  };
  const megabytes = (bytes) => (bytes / 1e6).toFixed(2) + " MB";
  const share = (count, result) =>
    count === null ? null : (100 * count) / result.samples;
  const fillSelect = (select, options, choice) => {
    for (const [value, text] of options) select.append(element("option", text, { value }));
    if (choice !== undefined) select.value = choice;
  };
  const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const hasCharts = typeof Chart !== "undefined";
  const charts = {};
  const draw = (id, config, summary) => {
    const canvas = byId(id);
    canvas.setAttribute("aria-label", summary);
    if (!hasCharts) { canvas.parentElement.hidden = true; return; }
    if (charts[id]) charts[id].destroy();
    Chart.defaults.color = color("--ink");
    Chart.defaults.borderColor = color("--line");
    Chart.defaults.font.size = 13;
    config.options = Object.assign(
      { responsive: true, maintainAspectRatio: false, animation: false }, config.options);
    charts[id] = new Chart(canvas, config);
  };

  // ---- head ----
  byId("title").textContent = "Lab: " + lab.model;
  document.title = "Lab: " + lab.model;
  byId("subtitle").textContent =
    `${lab.deployment_target}, ${lab.compute_precision}, measured on ${lab.samples} ` +
    `with the backend ${lab.backend}; latencies are estimates.`;
  const chosen = variants.find((variant) => variant.chosen);
  const facts = [
    ["Variants", `${variants.length} measured, ${lab.variants.length - variants.length} not possible`],
    ["Limit", lab.max_drop_pct === null ? "none given" : `${lab.max_drop_pct} % of ${measureNames[lab.drop_measure].split(",")[0]}`],
    ["Chosen", chosen ? chosen.name : "none"],
    ["Its size", chosen ? megabytes(chosen.result.package_bytes) : "unknown"],
    ["Judged by", lab.samples],
    ["Learned from", lab.calibration === null ? "nothing: no form here needed inputs" : lab.calibration],
    ["Tool", "anemone " + lab.tool_version],
  ];
  for (const [name, value] of facts) {
    const row = element("div");
    row.append(element("dt", name), element("dd", value));
    byId("facts").append(row);
  }

  // ---- the front: any measure against any other ----
  const chipNames = variants.length ? variants[0].result.chips.map((chip) => chip.chip) : [];
  const measures = new Map([
    ["size", { text: "package, MB", of: (v) => v.result.package_bytes / 1e6 }],
    ["loss", { text: "loss of the outputs", of: (v) => v.result.loss }],
    ["drop", { text: "drop, percentage points", of: (v) => v.drop_pct }],
  ]);
  if (variants.some((v) => v.result.top1 !== null))
    measures.set("top1", { text: "top-1, percent", of: (v) => share(v.result.top1, v.result) });
  if (variants.some((v) => v.result.agreement !== null))
    measures.set("agreement", { text: "agreement with the reference, percent", of: (v) => share(v.result.agreement, v.result) });
  for (const name of chipNames) {
    measures.set("latency " + name, {
      text: `latency on ${name}, ms (estimated)`,
      of: (v) => {
        const chip = v.result.chips.find((entry) => entry.chip === name);
        return chip && chip.latency_ms ? chip.latency_ms.value : null;
      },
    });
  }
  const drawFront = () => {
    const x = measures.get(byId("front-x").value);
    const y = measures.get(byId("front-y").value);
    const points = variants
      .map((v) => ({ x: x.of(v), y: y.of(v), v }))
      .filter((point) => point.x !== null && point.y !== null);
    const group = (label, filter, fill, style, radius) => ({
      label, data: points.filter((point) => filter(point.v)),
      backgroundColor: fill, borderColor: fill, pointStyle: style, pointRadius: radius, pointHoverRadius: radius + 2,
    });
    draw("front-chart", {
      type: "scatter",
      data: { datasets: [
        group("chosen", (v) => v.chosen, color("--good"), "rectRot", 9),
        group("on the front", (v) => v.pareto && !v.chosen, color("--accent"), "circle", 6),
        group("behind it", (v) => !v.pareto && !v.chosen, color("--soft"), "triangle", 5),
      ] },
      options: {
        scales: { x: { title: { display: true, text: x.text } }, y: { title: { display: true, text: y.text } } },
        plugins: { tooltip: { callbacks: { label: (item) =>
          `${item.raw.v.name}: ${number(item.raw.x)}, ${number(item.raw.y)}` } } },
      },
    }, `Scatter of ${points.length} variants: ${x.text} across, ${y.text} up. The table below has the numbers.`);
    byId("front-note").textContent =
      `${points.length} of ${variants.length} variants have both figures. ` +
      "On the front: no other is smaller and loses no more.";
  };
  const measureOptions = [...measures].map(([key, measure]) => [key, measure.text]);
  fillSelect(byId("front-x"), measureOptions, "size");
  fillSelect(byId("front-y"), measureOptions,
    measures.has("top1") ? "top1" : measures.has("agreement") ? "agreement" : "loss");
  for (const id of ["front-x", "front-y"]) byId(id).addEventListener("change", drawFront);

  // ---- variants ----
  const output = (v) => v.result.outputs[0] || {};
  const columns = [
    ["Variant", (v) => v.name, (v) => v.name],
    ["Package", (v) => v.result && v.result.package_bytes, (v) => megabytes(v.result.package_bytes)],
    ["Top-1", (v) => v.result && v.result.top1, (v) => v.result.top1 === null ? "unknown" : `${v.result.top1}/${v.result.samples}`],
    ["Top-5", (v) => v.result && v.result.top5, (v) => v.result.top5 === null ? "unknown" : `${v.result.top5}/${v.result.samples}`],
    ["Agrees", (v) => v.result && v.result.agreement, (v) => v.result.agreement === null ? "unknown" : `${v.result.agreement}/${v.result.samples}`],
    ["Drop", (v) => v.drop_pct, (v) => v.drop_pct === null ? "unknown" : number(v.drop_pct)],
    ["Limit", () => lab.max_drop_pct, () => lab.max_drop_pct === null ? "none" : number(lab.max_drop_pct)],
    ["Verdict", (v) => v.verdict, (v) => v.verdict || "none"],
    ["Loss", (v) => v.result && v.result.loss, (v) => number(v.result.loss)],
    ["L∞ of range", (v) => v.result && output(v).l_inf_relative, (v) => number(output(v).l_inf_relative)],
    ["RMSE of range", (v) => v.result && output(v).rmse_relative, (v) => number(output(v).rmse_relative)],
    ["Parity", (v) => v.result && String(v.result.outputs.every((row) => row.passed)), (v) => {
      const failed = v.result.outputs.filter((row) => !row.passed).map((row) => row.output);
      const limit = `L∞ ${number(output(v).limit_l_inf)}, RMSE ${number(output(v).limit_rmse)}`;
      return failed.length ? `beyond ${limit}: ${failed.join(" ")}` : `within ${limit}`;
    }],
    ["PSNR, dB", (v) => v.result && output(v).psnr_db, (v) => number(output(v).psnr_db)],
  ].concat(chipNames.map((name) => [
    name + ", ms (est.)", (v) => v.result && measures.get("latency " + name).of(v),
    (v) => {
      const chip = v.result.chips.find((entry) => entry.chip === name);
      return chip && chip.latency_ms
        ? `${number(chip.latency_ms.value)} (${number(chip.latency_ms.low, 2)} to ${number(chip.latency_ms.high, 2)})` : "unknown";
    },
  ]));
  let order = { column: 1, falling: true };
  const drawVariants = () => {
    const filter = byId("variants-filter").value;
    const rows = lab.variants.filter((v) =>
      filter === "all" || (filter === "pareto" && v.pareto) || (filter === "within" && v.verdict === "within"));
    const value = columns[order.column][1];
    rows.sort((a, b) => {
      const x = value(a), y = value(b);
      if (x === y) return 0;
      if (x === null || x === undefined) return 1;
      if (y === null || y === undefined) return -1;
      return (x < y ? -1 : 1) * (order.falling ? -1 : 1);
    });
    const head = element("tr");
    columns.forEach(([name], index) => {
      const sorted = index === order.column ? (order.falling ? "descending" : "ascending") : "none";
      const cell = element("th", null, { scope: "col", "aria-sort": sorted });
      const button = element("button", name + (index === order.column ? (order.falling ? " ▾" : " ▴") : ""), { type: "button" });
      button.addEventListener("click", () => {
        order = { column: index, falling: index === order.column ? !order.falling : false };
        drawVariants();
        byId("variants-table").tHead.rows[0].cells[index].firstChild.focus();
      });
      cell.append(button);
      head.append(cell);
    });
    byId("variants-table").tHead.replaceChildren(head);
    byId("variants-table").tBodies[0].replaceChildren(...rows.map((v) => {
      const row = element("tr", null, v.chosen ? { class: "chosen" } : {});
      if (!v.result) {
        row.append(element("td", v.name), element("td", v.error, { colspan: columns.length - 1 }));
        return row;
      }
      columns.forEach(([name, , text]) => {
        const cell = element("td", text(v));
        if (name === "Verdict" && v.verdict) cell.className = v.verdict;
        if (name === "Variant" && v.chosen) cell.textContent += " (chosen)";
        row.append(cell);
      });
      return row;
    }));
  };
  byId("variants-filter").addEventListener("change", drawVariants);

  // ---- errors by tensor ----
  const rmsOf = new Map(lab.weights.map((weight) => [weight.weight, weight.rms]));
  const compressedOf = (v) => v.result.tensors.filter((tensor) => tensor.form);
  const withTensors = variants.filter((v) => compressedOf(v).length);
  const drawTensors = () => {
    const v = withTensors.find((entry) => entry.name === byId("tensors-variant").value);
    byId("tensors").hidden = !v;
    if (!v) return;
    const tensors = compressedOf(v);
    const relative = tensors.map((t) => (rmsOf.get(t.name) ? t.rms_error / rmsOf.get(t.name) : null));
    draw("tensors-chart", {
      type: "bar",
      data: { labels: tensors.map((t) => t.name), datasets: [
        { label: "RMS error, share of the tensor's RMS", data: relative, backgroundColor: color("--accent") },
      ] },
      options: {
        scales: { x: { ticks: { display: tensors.length <= 24 } }, y: { beginAtZero: true } },
        plugins: { tooltip: { callbacks: { afterLabel: (item) => {
          const t = tensors[item.dataIndex];
          return [`${t.form}, ${t.operator}`, `largest ${number(t.max_error)}`, `${t.bytes_before} to ${t.bytes_after} bytes`];
        } } } },
      },
    }, `Bars: error of each of ${tensors.length} tensors in ${v.name}.`);
    const skipped = v.result.tensors.length - tensors.length;
    byId("tensors-note").textContent = `${tensors.length} tensors compressed, ${skipped} left alone.`;
  };
  fillSelect(byId("tensors-variant"), withTensors.map((v) => [v.name, v.name]),
    chosen && withTensors.includes(chosen) ? chosen.name : undefined);
  byId("tensors-variant").addEventListener("change", drawTensors);

  // ---- sensitivity ----
  const weights = lab.sensitivity.filter((weight) => !weight.skipped);
  const drawSensitivity = () => {
    byId("sensitivity").hidden = weights.length === 0;
    if (!weights.length) return;
    const what = byId("sensitivity-what").value;
    const forms = weights[0].forms.map((form) => form.form);
    const values = weights.flatMap((w) => w.forms.map((form) => form[what])).filter((value) => value !== null);
    // Losses and bytes span decades; decibels are a logarithm already, and small ones are bad.
    const scale = (value) => (what === "snr_db" ? -value : Math.log10(Math.max(value, 1e-12)));
    const low = Math.min(...values.map(scale)), high = Math.max(...values.map(scale));
    const head = element("tr");
    head.append(element("th", "Weight", { scope: "col" }), element("th", "as it is", { scope: "col" }),
      ...forms.map((form) => element("th", form, { scope: "col" })));
    byId("sensitivity-table").tHead.replaceChildren(head);
    byId("sensitivity-table").tBodies[0].replaceChildren(...weights.map((w) => {
      const row = element("tr");
      row.append(element("th", w.operator, { scope: "row", title: `${w.weight} ${JSON.stringify(w.shape)}` }),
        element("td", what === "bytes" ? String(w.bytes) : "0"));
      for (const form of w.forms) {
        const value = form[what];
        const cell = element("td", form.possible ? number(value) : "not possible", { class: "cell" });
        if (form.possible && value !== null) {
          const heat = high > low ? (scale(value) - low) / (high - low) : 0;
          cell.style.setProperty("--share", heat.toFixed(3));
          if (heat > 0.6) cell.classList.add("strong");
        }
        row.append(cell);
      }
      return row;
    }));
    byId("sensitivity-note").textContent =
      "Each figure: only this weight has the form. The darker, the more it costs.";
  };
  byId("sensitivity-what").addEventListener("change", drawSensitivity);

  // ---- weights ----
  const drawWeights = () => {
    const weight = lab.weights.find((entry) => entry.weight === byId("weights-which").value);
    byId("weights").hidden = !weight;
    if (!weight) return;
    const width = (weight.high - weight.low) / weight.bins.length;
    draw("weights-chart", {
      type: "bar",
      data: { labels: weight.bins.map((_, i) => number(weight.low + (i + 0.5) * width)), datasets: [
        { label: "values", data: weight.bins, backgroundColor: color("--accent"), barPercentage: 1, categoryPercentage: 1 }] },
      options: { plugins: { legend: { display: false } } },
    }, `Histogram of ${weight.weight}.`);
    byId("weights-note").textContent = `${weight.elements} elements from ${number(weight.low)} to ` +
      `${number(weight.high)}, mean ${number(weight.mean)}, RMS ${number(weight.rms)}.`;
  };
  fillSelect(byId("weights-which"), lab.weights.map((weight) => [weight.weight, weight.weight]));
  byId("weights-which").addEventListener("change", drawWeights);

  // ---- half precision ----
  const drawFidelity = () => {
    const found = lab.fidelity;
    byId("fidelity").hidden = !found;
    if (!found) return;
    const lines = [
      `On ${found.inputs}: float16 ${found.passed ? "is within" : "exceeds"} the limits of the outputs.`,
      found.first_overflow ? `First operator beyond 65504: ${found.first_overflow}.` : "No operator leaves the range of float16.",
      found.first_not_a_number ? `First operator that gives no number: ${found.first_not_a_number}.` : "No operator gives NaN.",
    ];
    if (found.keep_float32.length)
      lines.push("Within the limits with --keep-float32 " + found.keep_float32.join(" --keep-float32 "));
    byId("fidelity-text").replaceChildren(...lines.map((line) => element("p", line)));
    const head = element("tr");
    head.append(...["Operator", "Type", "Largest", "Error", "Added"].map((name) => element("th", name, { scope: "col" })));
    const rows = [...found.operators].sort((a, b) => (b.added ?? Infinity) - (a.added ?? Infinity)).slice(0, 40);
    byId("fidelity-table").tHead.replaceChildren(head);
    byId("fidelity-table").tBodies[0].replaceChildren(...rows.map((operator) => {
      const row = element("tr");
      row.append(element("td", operator.name), element("td", operator.type), element("td", number(operator.largest)),
        element("td", number(operator.error)), element("td", number(operator.added)));
      return row;
    }));
  };

  // ---- samples ----
  const judged = lab.sample_list.filter((sample) => sample.use === "evaluation");
  const learned = lab.sample_list.filter((sample) => sample.use === "calibration");
  const drawSamples = () => {
    const use = byId("samples-filter").value;
    const rows = lab.sample_list.filter((sample) => use === "all" || sample.use === use);
    const names = new Set(learned.map((sample) => sample.name));
    const both = judged.filter((sample) => names.has(sample.name)).length;
    byId("samples-note").textContent = `Variants are judged by ${judged.length} samples (${lab.samples}). ` +
      (learned.length
        ? `They learn from ${learned.length} (${lab.calibration}), ${both ? both + " of which also judge" : "none of which judges"}.`
        : "None learns from inputs.");
    const head = element("tr");
    head.append(...["Sample", "Class", "Use"].map((name) => element("th", name, { scope: "col" })));
    byId("samples-table").tHead.replaceChildren(head);
    byId("samples-table").tBodies[0].replaceChildren(...rows.map((sample) => {
      const row = element("tr");
      row.append(element("td", sample.name), element("td", sample.class_index === null ? "not labeled" : String(sample.class_index)),
        element("td", sample.use === "calibration" ? "learned from" : "judged by"));
      return row;
    }));
  };
  fillSelect(byId("samples-filter"), [["all", `all ${lab.sample_list.length}`],
    ["evaluation", `those that judge (${judged.length})`], ["calibration", `those learned from (${learned.length})`]]);
  byId("samples-filter").addEventListener("change", drawSamples);

  // ---- export ----
  const cell = (value) => {
    const text = value === null || value === undefined ? "" : String(value);
    return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const csv = (rows) => {
    if (!rows.length) return "";
    const names = Object.keys(rows[0]);
    return [names, ...rows.map((row) => names.map((name) => row[name]))]
      .map((row) => row.map(cell).join(",")).join("\n") + "\n";
  };
  const save = (name, text, type) => {
    const link = element("a", null, { download: name });
    link.href = URL.createObjectURL(new Blob([text], { type }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    byId("status").textContent = name + " saved";
  };
  const tables = {
    variants: () => lab.variants.map((v) => Object.assign(
      { name: v.name, state: v.state, chosen: v.chosen, pareto: v.pareto, verdict: v.verdict, drop_pct: v.drop_pct, max_drop_pct: lab.max_drop_pct,
        package_bytes: v.result && v.result.package_bytes, weight_bytes: v.result && v.result.weight_bytes,
        samples: v.result && v.result.samples, top1: v.result && v.result.top1, top5: v.result && v.result.top5,
        agreement: v.result && v.result.agreement, loss: v.result && v.result.loss, error: v.error },
      ...chipNames.map((name) => ({ [`latency_ms_${name}_estimated`]: v.result && measures.get("latency " + name).of(v) })))),
    tensors: () => variants.flatMap((v) => v.result.tensors.map((t) => ({ variant: v.name, tensor: t.name, operator: t.operator,
      form: t.form, skipped: t.skipped, bytes_before: t.bytes_before, bytes_after: t.bytes_after, max_error: t.max_error, rms_error: t.rms_error }))),
    sensitivity: () => weights.flatMap((w) => w.forms.map((form) => ({ weight: w.weight, operator: w.operator, form: form.form,
      possible: form.possible, bytes: form.bytes, loss: form.loss, snr_db: form.snr_db }))),
    weights: () => lab.weights.map((w) => ({ weight: w.weight, elements: w.elements, non_finite: w.non_finite, low: w.low, high: w.high,
      mean: w.mean, rms: w.rms, bins: w.bins.join(" ") })),
    outputs: () => variants.flatMap((v) => v.result.outputs.map((row) => Object.assign({ variant: v.name }, row))),
    fidelity: () => (lab.fidelity ? lab.fidelity.operators : []),
    samples: () => lab.sample_list,
  };
  byId("export-json").addEventListener("click", () => save("lab.json", JSON.stringify(lab, null, 1), "application/json"));
  for (const [name, rows] of Object.entries(tables))
    byId("export-" + name).addEventListener("click", () => save(name + ".csv", csv(rows()), "text/csv"));

  const drawAll = () => {
    drawFront(); drawVariants(); drawTensors(); drawSensitivity(); drawWeights(); drawFidelity(); drawSamples();
  };
  drawAll();
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  document.documentElement.dataset.ready = "true";
})();
