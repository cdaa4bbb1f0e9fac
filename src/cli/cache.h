// The commands about what is kept between processes.
#pragma once

#include "cli/command.h"

namespace anemone::cli {

// anemone cache ls|clear.
void AddCache(Command app, Context& context);
// The child of runtime/first_load.h; not for people.
void AddFirstLoad(Command app, Context& context);

}  // namespace anemone::cli
