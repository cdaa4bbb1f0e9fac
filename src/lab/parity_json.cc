#include "lab/parity_json.h"

#include <cmath>

namespace anemone::lab {

Json FiniteOrNull(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json ParityJson(const Parity& parity) {
  const bool rows = parity.rows > 0;
  Json json;
  json["l_inf"] = FiniteOrNull(parity.linf);
  json["rmse"] = FiniteOrNull(parity.rmse);
  json["reference_range"] = FiniteOrNull(parity.reference_range);
  json["l_inf_relative"] = FiniteOrNull(parity.linf_relative);
  json["rmse_relative"] = FiniteOrNull(parity.rmse_relative);
  json["psnr_db"] = FiniteOrNull(parity.psnr_db);
  json["snr_db"] = FiniteOrNull(parity.snr_db);
  json["cosine"] = FiniteOrNull(parity.cosine);
  json["kl_divergence"] = parity.distribution ? FiniteOrNull(parity.kl_divergence) : Json(nullptr);
  json["kl_softmax"] = rows ? FiniteOrNull(parity.kl_softmax) : Json(nullptr);
  json["top1_agreement"] = rows ? Json(parity.top1_agreement()) : Json(nullptr);
  json["top5_agreement"] = rows ? Json(parity.top5_agreement()) : Json(nullptr);
  json["top1_flips_beyond_noise"] = rows ? Json(parity.top1_flips) : Json(nullptr);
  json["top5_flips_beyond_noise"] = rows ? Json(parity.top5_flips) : Json(nullptr);
  json["non_finite"] = parity.non_finite;
  json["reference_non_finite"] = parity.reference_non_finite;
  json["samples"] = parity.samples;
  json["elements"] = parity.elements;
  return json;
}

std::string ToJson(const Parity& parity) { return ParityJson(parity).Dump(); }

}  // namespace anemone::lab
