// The commands about what is kept between processes.
#pragma once

#include "cli/command.h"

namespace anemone::cli {

// anemone cache ls|clear.
void AddCache(CLI::App& app, Context& context);
// The child of runtime/first_load.h; not for people.
void AddFirstLoad(CLI::App& app, Context& context);

}  // namespace anemone::cli
