#include "onnx/reader.h"

#include <filesystem>

#include "base/mapped_file.h"
#include "onnx/check.h"
#include "onnx/tensor_reader.h"
#include "onnx/wire.h"

namespace anemone::onnx {
namespace {

constexpr int kMaxGraphDepth = 32;
constexpr int64_t kMaxNodes =
    1 << 20;  // of nodes, tensors and value infos together: a bound on memory

// Calls `visit(field)` for every field of `message`.
template <typename OnField>
Status ForEachField(WireReader message, OnField&& visit) {
  while (true) {
    ANEMONE_ASSIGN(const bool more, message.Next());
    if (!more) return {};
    ANEMONE_TRY(visit(static_cast<const WireReader&>(message)));
  }
}

Status Append(const WireReader& field, std::vector<std::string>& out) {
  ANEMONE_ASSIGN(std::string text, field.String());
  out.push_back(std::move(text));
  return {};
}

Status Assign(const WireReader& field, std::string& out) {
  ANEMONE_ASSIGN(out, field.String());
  return {};
}

Status Assign(const WireReader& field, int64_t& out) {
  ANEMONE_ASSIGN(out, field.Int64());
  return {};
}

Status Assign(const WireReader& field, int32_t& out) {
  ANEMONE_ASSIGN(out, field.Int32());
  return {};
}

class Reader {
 public:
  Reader(const Bytes& file, const std::string& folder) : file_(file), external_(folder) {}

  Result<Model> Run() {
    Model model;
    bool has_graph = false;
    WireReader message(std::span(file_.data(), file_.size()));
    auto status = ForEachField(message, [&](const WireReader& field) -> Status {
      switch (field.number()) {
        case 1:
          return Assign(field, model.ir_version);
        case 2:
          return Assign(field, model.producer_name);
        case 3:
          return Assign(field, model.producer_version);
        case 4:
          return Assign(field, model.domain);
        case 5:
          return Assign(field, model.model_version);
        case 6:
          return Assign(field, model.doc_string);
        case 7:
          if (has_graph) return InvalidInput("the file holds more than one graph");
          has_graph = true;
          return ReadGraph(field, model.graph, 1);
        case 8:
          return ReadOpset(field, model.opsets);
        case 14:
          return ReadMetadata(field, model.metadata);
        case 25: {
          ANEMONE_TRY(Count());
          return ReadFunction(field, model.functions.emplace_back());
        }
        default:
          return {};
      }
    });
    ANEMONE_TRY(std::move(status));
    if (!has_graph) {
      return InvalidInput("the file holds no graph: not an ONNX model").Advise("check the file");
    }
    if (model.opset() == 0) {
      return InvalidInput("the file does not import the ONNX operator set");
    }
    return model;
  }

 private:
  Status Count() {
    if (++count_ > kMaxNodes) {
      return InvalidInput("the file exceeds the limit of {} nodes, tensors and values", kMaxNodes);
    }
    return {};
  }

  Status ReadOpset(const WireReader& field, std::map<std::string, int64_t>& opsets) {
    std::string domain;
    int64_t version = 0;
    ANEMONE_ASSIGN(const WireReader message, field.Message());
    ANEMONE_TRY(ForEachField(message, [&](const WireReader& inner) -> Status {
      if (inner.number() == 1) return Assign(inner, domain);
      if (inner.number() == 2) return Assign(inner, version);
      return {};
    }));
    if (domain == "ai.onnx") domain.clear();
    if (version < 1 || version > 1000) {
      return InvalidInput("operator set '{}' has version {}", domain, version);
    }
    if (!opsets.emplace(domain, version).second && opsets[domain] != version) {
      return InvalidInput("operator set '{}' is imported in two versions, {} and {}", domain,
                          opsets[domain], version);
    }
    return {};
  }

  Status ReadMetadata(const WireReader& field, std::map<std::string, std::string>& metadata) {
    std::string key, value;
    ANEMONE_ASSIGN(const WireReader message, field.Message());
    ANEMONE_TRY(ForEachField(message, [&](const WireReader& inner) -> Status {
      if (inner.number() == 1) return Assign(inner, key);
      if (inner.number() == 2) return Assign(inner, value);
      return {};
    }));
    metadata.insert_or_assign(std::move(key), std::move(value));
    return {};
  }

  Status ReadGraph(const WireReader& field, Graph& graph, int depth) {
    if (depth > kMaxGraphDepth) {
      return InvalidInput("subgraphs nest deeper than {}", kMaxGraphDepth);
    }
    ANEMONE_ASSIGN(const WireReader message, field.Message());
    return ForEachField(message, [&](const WireReader& inner) -> Status {
      switch (inner.number()) {
        case 1:
          return AppendNode(inner, graph.nodes, depth);
        case 2:
          return Assign(inner, graph.name);
        case 5: {
          ANEMONE_TRY(Count());
          ANEMONE_ASSIGN(const WireReader tensor_message, inner.Message());
          ANEMONE_ASSIGN(Tensor tensor, ReadTensor(tensor_message, file_, external_));
          if (tensor.name.empty()) return InvalidInput("an initializer has no name");
          graph.initializers.push_back(std::move(tensor));
          return {};
        }
        case 11:
          return AppendValueInfo(inner, graph.inputs);
        case 12:
          return AppendValueInfo(inner, graph.outputs);
        case 13:
          return AppendValueInfo(inner, graph.value_infos);
        case 15:
          return Unsupported("the graph '{}' holds sparse initializers", graph.name)
              .Advise("store the weights as dense initializers");
        default:
          return {};
      }
    });
  }

  Status AppendNode(const WireReader& field, std::vector<Node>& nodes, int depth) {
    ANEMONE_TRY(Count());
    Node node;
    ANEMONE_ASSIGN(const WireReader message, field.Message());
    auto status = ForEachField(message, [&](const WireReader& inner) -> Status {
      switch (inner.number()) {
        case 1:
          return Append(inner, node.inputs);
        case 2:
          return Append(inner, node.outputs);
        case 3:
          return Assign(inner, node.name);
        case 4:
          return Assign(inner, node.op);
        case 5:
          return AppendAttribute(inner, node.attributes, depth);
        case 7:
          return Assign(inner, node.domain);
        case 8:
          return Assign(inner, node.overload);
        default:
          return {};
      }
    });
    if (!status.ok()) return std::move(status).At(node.Place(nodes.size()));
    if (node.op.empty()) {
      return InvalidInput("the node has no operator type").At(node.Place(nodes.size()));
    }
    if (node.domain == "ai.onnx") node.domain.clear();
    nodes.push_back(std::move(node));
    return {};
  }

  Status AppendAttribute(const WireReader& field, std::vector<Attribute>& attributes, int depth) {
    Attribute attribute;
    int32_t kind = 0;
    ANEMONE_ASSIGN(const WireReader message, field.Message());
    auto status = ForEachField(message, [&](const WireReader& inner) -> Status {
      return ReadAttributeField(inner, attribute, kind, depth);
    });
    if (!status.ok()) return std::move(status).At(fmt::format("attribute '{}'", attribute.name));
    if (attribute.name.empty()) return InvalidInput("an attribute has no name");
    for (const auto& other : attributes) {
      if (other.name == attribute.name) {
        return InvalidInput("attribute '{}' is given twice", attribute.name);
      }
    }
    if (kind < 0 || kind > static_cast<int32_t>(Attribute::Kind::kTypeProtos)) {
      return InvalidInput("attribute '{}' has the unknown kind {}", attribute.name, kind);
    }
    attribute.kind = static_cast<Attribute::Kind>(kind);
    const bool one_tensor = attribute.kind == Attribute::Kind::kTensor;
    const bool one_graph = attribute.kind == Attribute::Kind::kGraph;
    if (attribute.reference.empty() && ((one_tensor && attribute.tensors.size() != 1) ||
                                        (one_graph && attribute.graphs.size() != 1))) {
      return InvalidInput("attribute '{}' must hold exactly one {}", attribute.name,
                          one_tensor ? "tensor" : "graph");
    }
    attributes.push_back(std::move(attribute));
    return {};
  }

  Status ReadAttributeField(const WireReader& field, Attribute& attribute, int32_t& kind,
                            int depth) {
    switch (field.number()) {
      case 1:
        return Assign(field, attribute.name);
      case 2: {
        ANEMONE_ASSIGN(attribute.f, field.Float());
        return {};
      }
      case 3:
        return Assign(field, attribute.i);
      case 4:
        return Assign(field, attribute.s);
      case 5:
      case 10: {
        ANEMONE_TRY(Count());
        ANEMONE_ASSIGN(const WireReader message, field.Message());
        ANEMONE_ASSIGN(Tensor tensor, ReadTensor(message, file_, external_));
        attribute.tensors.push_back(std::move(tensor));
        return {};
      }
      case 6:
      case 11:
        ANEMONE_TRY(Count());
        attribute.graphs.push_back(std::make_shared<Graph>());
        return ReadGraph(field, *attribute.graphs.back(), depth + 1);
      case 7:
        return field.AppendFloats(attribute.floats);
      case 8:
        return field.AppendVarints(attribute.ints);
      case 9:
        return Append(field, attribute.strings);
      case 20:
        return Assign(field, kind);
      case 21:
        return Assign(field, attribute.reference);
      default:
        return {};
    }
  }

  Status AppendValueInfo(const WireReader& field, std::vector<ValueInfo>& infos) {
    ANEMONE_TRY(Count());
    ValueInfo info;
    ANEMONE_ASSIGN(const WireReader message, field.Message());
    auto status = ForEachField(message, [&](const WireReader& inner) -> Status {
      if (inner.number() == 1) return Assign(inner, info.name);
      if (inner.number() == 2) return ReadType(inner, info);
      return {};
    });
    if (!status.ok()) return std::move(status).At(fmt::format("value '{}'", info.name));
    if (info.name.empty()) return InvalidInput("an input, output or value has no name");
    infos.push_back(std::move(info));
    return {};
  }

  // Only tensors are read in detail; of other types only the kind is kept.
  Status ReadType(const WireReader& field, ValueInfo& info) {
    ANEMONE_ASSIGN(const WireReader message, field.Message());
    return ForEachField(message, [&](const WireReader& inner) -> Status {
      switch (inner.number()) {
        case 1:
          info.kind = ValueInfo::Kind::kTensor;
          return ReadTensorType(inner, info);
        case 4:
          info.kind = ValueInfo::Kind::kSequence;
          return {};
        case 5:
          info.kind = ValueInfo::Kind::kMap;
          return {};
        case 7:
          info.kind = ValueInfo::Kind::kOpaque;
          return {};
        case 8:
          info.kind = ValueInfo::Kind::kSparseTensor;
          return {};
        case 9:
          info.kind = ValueInfo::Kind::kOptional;
          return {};
        default:
          return {};
      }
    });
  }

  Status ReadTensorType(const WireReader& field, ValueInfo& info) {
    ANEMONE_ASSIGN(const WireReader message, field.Message());
    return ForEachField(message, [&](const WireReader& inner) -> Status {
      if (inner.number() == 1) return Assign(inner, info.type);
      if (inner.number() != 2) return {};
      info.shape.emplace();
      ANEMONE_ASSIGN(const WireReader shape, inner.Message());
      return ForEachField(shape, [&](const WireReader& dim) -> Status {
        if (dim.number() != 1) return {};
        if (info.shape->size() >= 64) return InvalidInput("rank exceeds the limit of 64");
        return ReadDim(dim, info.shape->emplace_back());
      });
    });
  }

  Status ReadDim(const WireReader& field, Dim& dim) {
    ANEMONE_ASSIGN(const WireReader message, field.Message());
    return ForEachField(message, [&](const WireReader& inner) -> Status {
      if (inner.number() == 2) return Assign(inner, dim.param);
      if (inner.number() != 1) return {};
      ANEMONE_ASSIGN(const int64_t value, inner.Int64());
      // Some exporters write -1 for "unknown"; 0 is an empty dimension.
      if (value >= 0) dim.value = value;
      return {};
    });
  }

  Status ReadFunction(const WireReader& field, Function& function) {
    ANEMONE_ASSIGN(const WireReader message, field.Message());
    auto status = ForEachField(message, [&](const WireReader& inner) -> Status {
      switch (inner.number()) {
        case 1:
          return Assign(inner, function.name);
        case 4:
          return Append(inner, function.inputs);
        case 5:
          return Append(inner, function.outputs);
        case 6:
          return Append(inner, function.attributes);
        case 7:
          return AppendNode(inner, function.nodes, 1);
        case 9:
          return ReadOpset(inner, function.opsets);
        case 10:
          return Assign(inner, function.domain);
        case 11:
          return AppendAttribute(inner, function.attribute_defaults, 1);
        case 13:
          return Assign(inner, function.overload);
        default:
          return {};
      }
    });
    if (!status.ok()) return std::move(status).At(fmt::format("function '{}'", function.name));
    return {};
  }

  const Bytes& file_;
  ExternalFiles external_;
  int64_t count_ = 0;
};

}  // namespace

Result<Model> ReadModel(const Bytes& file, const std::string& folder) {
  ANEMONE_ASSIGN(Model model, Reader(file, folder).Run());
  ANEMONE_TRY(CheckModel(model));
  return model;
}

Result<Model> ReadModel(const std::string& path) {
  auto file = MapFile(path);
  if (!file.ok()) return std::move(file).error();
  const auto folder = std::filesystem::path(path).parent_path().string();
  return ReadModel(*file, folder.empty() ? "." : folder).At(path);
}

}  // namespace anemone::onnx
