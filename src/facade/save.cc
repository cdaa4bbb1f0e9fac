#include "facade/save.h"

#include "base/atomic_file.h"
#include "format/package.h"
#include "ir/text.h"

namespace anemone::facade {

Status Save(const ir::Model& model, const std::string& path) {
  if (path.ends_with(".mlpackage") || path.ends_with(".mlpackage/"))
    return format::WritePackage(model, path);
  if (path.ends_with(".mil")) {
    return WriteAtomically(path, ir::PrintText(model.program));
  }
  return Usage("cannot write '{}'", path)
      .Advise("name a .mlpackage (or .mil for the program's text)");
}

}  // namespace anemone::facade
