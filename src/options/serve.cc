// The options of `anemone serve`.
#include "options/shared_rows.h"

namespace anemone::options {

Table TableOf(ServeOptions& options) {
  Table table = ModelRows(options);
  Append(
      table,
      {{.name = "address",
        .field = &options.address,
        .help = "HOST:PORT to listen at; port 0 finds a free one",
        .example = "127.0.0.1:8080"},
       {.name = "name",
        .field = &options.name,
        .help = "the model's name in paths (/v2/models/NAME); none: that of its file",
        .example = "classifier"},
       {.name = "max_body",
        .field = &options.max_body,
        .help = "refuse requests of more bytes than this (as a flag K, M and G: 1024)",
        .example = "1000000",
        .low = 1,
        .high = 1 << 30,
        .holds = Holds::kByteCount},
       {.name = "max_connections",
        .field = &options.max_connections,
        .help = "connections at once; one more is turned away",
        .example = "16",
        .low = 1,
        .high = 512},
       {.name = "max_queue",
        .field = &options.max_queue,
        .help = "requests that may wait for the model; one more is turned away",
        .example = "32",
        .low = 1,
        .high = 100000},
       {.name = "timeout",
        .field = &options.timeout,
        .help = "seconds that a request may take to arrive, to be answered, and its answer to be "
                "taken: each of the three",
        .example = "5",
        .above = 0,
        .high = 3600},
       {.name = "max_batch",
        .field = &options.max_batch,
        .help = "rows of requests that are joined to one call; needs an open first dimension, and "
                "rows that do not depend on each other, which is tried at the start",
        .example = "8",
        .low = 1,
        .high = 1024},
       {.name = "max_delay",
        .field = &options.max_delay,
        .help = "milliseconds that a request waits for others to join it",
        .example = "5",
        .low = 0,
        .high = 10000},
       {.name = "allow_fault_injection",
        .field = &options.allow_fault_injection,
        .help = "let anyone who reaches the server make calls fail (POST /faults), to see the "
                "fallback"}});
  Append(table, TableOf(options.preprocess));
  Table session = TableOf(options.session);
  for (Option& option : session) {
    if (option.name != "warm_up") continue;
    option.flag = {};  // here it is so unless the flag says otherwise
    option.help = "run one inference on seeded inputs before the first request";
  }
  Append(table, session);
  return table;
}

}  // namespace anemone::options
