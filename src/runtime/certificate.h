// A certificate: the proof that a gate has passed one model on one build of an operating system.
// `anemone gate` writes it (gate/report.h); a session reads it, and reports a backend without
// a certificate as experimental.
//
//   CERTIFICATE_DIR/MODEL_HASH-OS_BUILD.gate.json
//
// Thread rules: pure functions of the file system. Errors: kNotFound when there is none;
// kInvalidInput with file and rule for one that is malformed or belongs to something else; neither
// certifies anything.
#pragma once

#include <cstdint>
#include <string>

#include "base/status.h"

namespace anemone::runtime {

inline constexpr const char* kCertificateSchema = "anemone.certificate";
inline constexpr int kCertificateSchemaVersion = 1;

struct Certificate {
  std::string model_hash;  // 64 hexadecimal digits
  std::string os_build;
  std::string backend;  // the certified backend: "coreml"
  std::string compute_units;
  std::string policy;  // its name
  std::string policy_sha256;
  std::string chip;
  int64_t time_unix_ns = 0;
};

std::string CertificatePath(const std::string& directory, const std::string& model_hash,
                            const std::string& os_build);
Result<Certificate> ReadCertificate(const std::string& path);
// Whether `directory` certifies the model for this backend on this build.
bool IsCertified(const std::string& directory, const std::string& model_hash,
                 const std::string& os_build, const std::string& backend);

}  // namespace anemone::runtime
