// Files of torch.export.save in memory, in the form of PyTorch 2.8 and newer.
#pragma once

#include <fmt/format.h>

#include <cstring>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "support/zip_writer.h"

namespace anemone::torch::testing {

inline std::string Sizes(const std::vector<int64_t>& sizes) {
  std::string text;
  for (const int64_t size : sizes)
    text += (text.empty() ? "" : ", ") + fmt::format("{{\"as_int\": {}}}", size);
  return "[" + text + "]";
}

struct Meta {
  std::vector<int64_t> sizes;
  std::vector<int64_t> strides = {};  // contiguous when empty
  int64_t offset = 0;
  int dtype = 7;
};

inline std::string MetaText(Meta meta) {
  if (meta.strides.empty()) {
    int64_t stride = 1;
    meta.strides.resize(meta.sizes.size());
    for (size_t d = meta.sizes.size(); d-- > 0;) {
      meta.strides[d] = stride;
      stride *= meta.sizes[d];
    }
  }
  return fmt::format(
      R"({{"dtype": {}, "sizes": {}, "requires_grad": false, "device": {{"type": "cpu", "index": null}}, "strides": {}, "storage_offset": {{"as_int": {}}}, "layout": 7}})",
      meta.dtype, Sizes(meta.sizes), Sizes(meta.strides), meta.offset);
}

inline std::string Tensor(const std::string& name) {
  return fmt::format(R"({{"as_tensor": {{"name": "{}"}}}})", name);
}
inline std::string Int(int64_t value) { return fmt::format(R"({{"as_int": {}}})", value); }

struct Arg {
  std::string name, value;
};

inline std::string NodeText(const std::string& target, const std::vector<Arg>& args,
                            const std::string& output, const std::string& module = "") {
  std::string inputs;
  for (const Arg& arg : args) {
    inputs += (inputs.empty() ? "" : ", ") +
              fmt::format(R"({{"name": "{}", "arg": {}, "kind": 1}})", arg.name, arg.value);
  }
  const std::string stack =
      module.empty() ? "" : fmt::format("L__self__,,m.M;L__self___m,{},m.N", module);
  return fmt::format(
      R"({{"target": "torch.ops.{}", "inputs": [{}], "outputs": [{}], "metadata": {{"nn_module_stack": "{}", "stack_trace": "File \"/a/model.py\", line 12, in forward\n    y"}}}})",
      target, inputs, Tensor(output), stack);
}

// A weight by the name of its value, with the file it lies in.
struct Weight {
  std::string value, name, file;
  Meta meta;
  std::string kind = "parameter";
};

struct Archive {
  std::vector<Arg> values;  // name and TensorMeta text, beside those of inputs and weights
  std::vector<std::pair<std::string, Meta>> inputs;
  std::vector<Weight> weights;
  std::vector<std::pair<std::string, std::vector<float>>> files;
  std::vector<std::string> nodes;
  std::vector<std::string> outputs;
  int schema = 8;
  std::string version = "0";

  std::string Program() const {
    std::string tensor_values, graph_inputs, specs, out_specs, graph_outputs, node_list;
    const auto add = [](std::string& list, const std::string& item) {
      list += (list.empty() ? "" : ", ") + item;
    };
    for (const Weight& weight : weights) {
      add(graph_inputs, Tensor(weight.value));
      add(tensor_values, fmt::format("\"{}\": {}", weight.value, MetaText(weight.meta)));
      add(specs, fmt::format(R"({{"{0}": {{"arg": {{"name": "{1}"}}, "{0}_name": "{2}"}}}})",
                             weight.kind, weight.value, weight.name));
    }
    for (const auto& [name, meta] : inputs) {
      add(graph_inputs, Tensor(name));
      add(tensor_values, fmt::format("\"{}\": {}", name, MetaText(meta)));
      add(specs, fmt::format(R"({{"user_input": {{"arg": {}}}}})", Tensor(name)));
    }
    for (const Arg& value : values)
      add(tensor_values, fmt::format("\"{}\": {}", value.name, value.value));
    for (const std::string& node : nodes) add(node_list, node);
    for (const std::string& output : outputs) {
      add(graph_outputs, Tensor(output));
      add(out_specs, fmt::format(R"({{"user_output": {{"arg": {}}}}})", Tensor(output)));
    }
    return fmt::format(
        R"({{"graph_module": {{"graph": {{"inputs": [{}], "outputs": [{}], "nodes": [{}], "tensor_values": {{{}}}, "sym_int_values": {{}}, "sym_bool_values": {{}}}}, "signature": {{"input_specs": [{}], "output_specs": [{}]}}, "module_call_graph": []}}, "opset_version": {{"aten": 10}}, "range_constraints": {{}}, "schema_version": {{"major": {}, "minor": 14}}, "torch_version": "2.9.0"}})",
        graph_inputs, graph_outputs, node_list, tensor_values, specs, out_specs, schema);
  }

  std::string Text() const {
    std::string config;
    for (const Weight& weight : weights) {
      config +=
          (config.empty() ? "" : ", ") +
          fmt::format(
              R"("{}": {{"path_name": "{}", "is_param": true, "use_pickle": false, "tensor_meta": {}}})",
              weight.name, weight.file, MetaText(weight.meta));
    }
    std::vector<test::ZipSource> sources = {
        {"model/archive_format", "pt2"},
        {"model/archive_version", version},
        {"model/models/model.json", Program()},
        {"model/data/weights/model_weights_config.json", "{\"config\": {" + config + "}}"},
        {"model/data/constants/model_constants_config.json", "{\"config\": {}}"}};
    for (const auto& [name, data] : files) {
      std::string bytes(data.size() * sizeof(float), '\0');
      std::memcpy(bytes.data(), data.data(), bytes.size());
      sources.push_back({"model/data/weights/" + name, bytes});
    }
    return test::Zip(sources);
  }
};

inline Bytes ToBytes(const std::string& text) { return Bytes::Copy(text.data(), text.size()); }

// linear(x, w): w lies transposed in a storage that another weight shares.
inline Archive LinearArchive() {
  Archive archive;
  archive.inputs = {{"x", {{1, 2}}}};
  archive.weights = {{"p_w", "layer.weight", "weight_0", {{3, 2}, {1, 3}, 1}},
                     {"p_b", "layer.bias", "weight_0", {{3}}}};
  archive.files = {{"weight_0", {9, 1, 2, 3, 4, 5, 6, 7}}};
  archive.values = {{"linear", MetaText({{1, 3}})}};
  archive.nodes = {
      NodeText("aten.linear.default",
               {{"input", Tensor("x")}, {"weight", Tensor("p_w")}, {"bias", Tensor("p_b")}},
               "linear", "layer")};
  archive.outputs = {"linear"};
  return archive;
}

}  // namespace anemone::torch::testing
