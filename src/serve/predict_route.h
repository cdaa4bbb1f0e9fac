// The plain way to ask: POST /predict with a JSON object that holds a list for each input, with one
// .npy file, or with one PNG or JPEG image. The answer is JSON with every output, and of a classifier
// the best classes; or one output as .npy where the client accepts that ("application/x-npy").
//
// Thread rules: pure functions; images are decoded two at a time, whoever asks. Errors: kUsage and
// kInvalidInput for what the client did wrong.
#pragma once

#include <map>
#include <string>

#include "base/status.h"
#include "serve/http.h"
#include "serve/scheduler.h"
#include "serve/served_model.h"

namespace anemone::serve {

// The query's "input" says which one an array or image is for; it may be left out when there is one.
Result<Tensors> ReadPredictRequest(const ServedModel& served, const HttpRequest& request);
// The query's "output" says which one is wanted as .npy; it may be left out when there is one.
Result<HttpResponse> PredictResponse(const ServedModel& served, const HttpRequest& request,
                                     const Answer& answer);

}  // namespace anemone::serve
