// Errors as answers: a status of HTTP, and a JSON object with code, message, place and advice. Its
// member "error" is the whole as one text, which is where the V2 inference protocol wants it.
// Thread rules: pure functions.
#pragma once

#include <string>

#include "base/status.h"
#include "serve/http.h"

namespace anemone::serve {

// 400 for the caller's mistakes, 404, 501 for what is not supported, 503 when there is no room or no
// backend, 504 when the time is over, else 500.
int HttpStatusOf(ErrorCode code);

HttpResponse ProblemResponse(const Error& error);
// The same with a status that the code does not say (405, 406, 413, 415 ...).
HttpResponse ProblemResponse(int status, const Error& error);

}  // namespace anemone::serve
