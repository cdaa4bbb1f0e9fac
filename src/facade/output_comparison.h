// The judged parity of an output, as the tools give it to their callers. Thread rules: pure function.
#pragma once

#include "anemone/tools.h"
#include "lab/manifest.h"

namespace anemone::facade {

inline OutputComparison ToRow(const lab::OutputParity& output) {
  const lab::Parity& parity = output.parity;
  return {output.output,        parity.linf,    parity.linf_relative,    parity.rmse,
          parity.rmse_relative, parity.psnr_db, parity.top1_agreement(), output.judged.relative,
          output.judged.passed};
}

}  // namespace anemone::facade
