#include "lab/evaluate.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "base/mapped_file.h"
#include "media/image.h"
#include "media/normalize.h"

namespace anemone::lab {
namespace {

std::vector<std::string> SplitLine(std::string_view line) {
  std::vector<std::string> cells;
  std::string cell;
  bool quoted = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"') {
      // A doubled quote inside quotes is one quote.
      if (quoted && i + 1 < line.size() && line[i + 1] == '"') {
        cell += '"';
        ++i;
      } else {
        quoted = !quoted;
      }
    } else if (c == ',' && !quoted) {
      cells.push_back(std::move(cell));
      cell.clear();
    } else if (c != '\r') {
      cell += c;
    }
  }
  cells.push_back(std::move(cell));
  return cells;
}

}  // namespace

Result<const exec::Tensor*> ScoresOf(const std::map<std::string, exec::Tensor>& outputs) {
  for (const char* name : {"logits", "probabilities"}) {
    const auto found = outputs.find(name);
    if (found != outputs.end()) return &found->second;
  }
  if (outputs.size() == 1) return &outputs.begin()->second;
  return Usage("the model has {} outputs, none named logits or probabilities", outputs.size());
}

Result<std::vector<int64_t>> BestFive(const exec::Tensor& scores) {
  if (scores.dtype() != DType::kFp32 || scores.count() == 0)
    return Usage("the scores must be a nonempty float32 tensor");
  std::vector<int64_t> order(static_cast<size_t>(scores.count()));
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int64_t>(i);
  const size_t keep = std::min<size_t>(5, order.size());
  const float* values = scores.As<float>();
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(keep), order.end(),
                    [&](int64_t a, int64_t b) {
                      return values[a] > values[b] || (values[a] == values[b] && a < b);
                    });
  order.resize(keep);
  return order;
}

Result<exec::Tensor> PrepareImage(const std::string& path, const ir::Shape& shape,
                                  const Preprocess& how) {
  ANEMONE_ASSIGN(media::Image image, media::ReadImage(path));
  return PrepareImage(std::move(image), shape, how);
}

Result<exec::Tensor> PrepareImage(media::Image image, const ir::Shape& shape,
                                  const Preprocess& how) {
  const auto height = static_cast<int>(shape[2]);
  const auto width = static_cast<int>(shape[3]);
  if (how.crop > 0 && how.crop <= 1) {
    // Rounded down, as the published evaluations of EfficientNet cast it.
    const int side = std::max(1, static_cast<int>(how.crop * std::min(image.width, image.height)));
    ANEMONE_ASSIGN(image, media::CenterCrop(image, side, side));
  } else {
    if (how.resize > 0) {
      ANEMONE_ASSIGN(image, media::ResizeShorterSide(image, how.resize, how.filter));
    }
    if (how.crop > 1) {
      const int side = static_cast<int>(how.crop);
      ANEMONE_ASSIGN(image, media::CenterCrop(image, side, side));
    }
  }
  if (image.width != width || image.height != height) {
    ANEMONE_ASSIGN(image, media::Resize(image, width, height, how.filter));
  }
  const std::vector<float> values =
      media::Normalize(image, how.mean, how.deviation, media::PixelLayout::kNchw);
  return exec::Tensor::Copy({DType::kFp32, {1, 3, shape[2], shape[3]}, values.data()});
}

Result<std::vector<LabeledImage>> ReadLabels(const std::string& path) {
  ANEMONE_ASSIGN(const Bytes bytes, MapFile(path));
  std::string_view text = bytes.text();
  std::vector<LabeledImage> images;
  size_t file_column = SIZE_MAX;
  size_t label_column = SIZE_MAX;
  int64_t line_number = 0;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line_number;
    if (line.empty() || line == "\r") continue;
    const auto cells = SplitLine(line);
    if (file_column == SIZE_MAX) {
      for (size_t i = 0; i < cells.size(); ++i) {
        if (cells[i] == "file") file_column = i;
        if (cells[i] == "class_index") label_column = i;
      }
      if (file_column == SIZE_MAX || label_column == SIZE_MAX) {
        return InvalidInput("the first line must name the columns 'file' and 'class_index'")
            .At(path);
      }
      continue;
    }
    char* rest = nullptr;
    if (cells.size() <= std::max(file_column, label_column)) {
      return InvalidInput("line {} has {} columns", line_number, cells.size()).At(path);
    }
    const long long label = std::strtoll(cells[label_column].c_str(), &rest, 10);
    if (cells[label_column].empty() || *rest != '\0' || label < 0) {
      return InvalidInput("line {}: '{}' is not a class index", line_number, cells[label_column])
          .At(path);
    }
    images.push_back({cells[file_column], label});
  }
  if (images.empty()) return InvalidInput("the file lists no images").At(path);
  return images;
}

Result<Evaluation> Evaluate(exec::Executable& executable, exec::Executable* reference,
                            const ir::Function& function, const std::string& directory,
                            const std::vector<LabeledImage>& images,
                            const EvaluateOptions& options) {
  if (function.inputs().size() != 1) return Usage("eval takes a model of one image input");
  const ir::Value& input = *function.inputs()[0];
  const ir::Shape& shape = input.type.shape();
  if (!input.type.is_static() || shape.size() != 4 || shape[0] != 1 || shape[1] != 3) {
    return Usage("eval takes an input of [1, 3, height, width], this one is {}",
                 input.type.ToString());
  }
  Evaluation evaluation;
  evaluation.has_reference = reference != nullptr;
  const auto total = options.limit > 0
                         ? std::min<int64_t>(options.limit, static_cast<int64_t>(images.size()))
                         : static_cast<int64_t>(images.size());
  for (int64_t i = 0; i < total; ++i) {
    if (options.cancelled && options.cancelled()) return Cancelled("interrupted");
    const LabeledImage& image = images[static_cast<size_t>(i)];
    const std::string path = (std::filesystem::path(directory) / image.file).string();
    std::map<std::string, exec::Tensor> inputs;
    ANEMONE_ASSIGN(inputs[input.name], PrepareImage(path, shape, options.preprocess));
    ANEMONE_ASSIGN(const auto outputs, executable.Run(inputs, nullptr, nullptr));
    ANEMONE_ASSIGN(const exec::Tensor* scores, ScoresOf(outputs));
    if (image.label >= scores->view().count()) {
      return InvalidInput("its class index is {}, the model has {} classes", image.label,
                          scores->view().count())
          .At(image.file)
          .Advise("count classes from 0; give the labels of this model");
    }
    ANEMONE_ASSIGN(const auto best, BestFive(*scores));
    EvaluateResult::Row row{image.file, image.label, best[0], -1, scores->As<float>()[best[0]]};
    ++evaluation.images;
    evaluation.top1 += best[0] == image.label ? 1 : 0;
    evaluation.top5 += std::find(best.begin(), best.end(), image.label) != best.end() ? 1 : 0;
    if (reference != nullptr) {
      ANEMONE_ASSIGN(const auto other, reference->Run(inputs, nullptr, nullptr));
      ANEMONE_ASSIGN(const exec::Tensor* reference_scores, ScoresOf(other));
      ANEMONE_ASSIGN(const auto reference_best, BestFive(*reference_scores));
      row.reference = reference_best[0];
      evaluation.agree_with_reference += reference_best[0] == best[0] ? 1 : 0;
    }
    evaluation.rows.push_back(std::move(row));
    if (options.progress) options.progress(i + 1, total);
  }
  return evaluation;
}

}  // namespace anemone::lab
