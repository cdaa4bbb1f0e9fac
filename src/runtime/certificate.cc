#include "runtime/certificate.h"

#include <fstream>
#include <iterator>

#include "base/json.h"

namespace anemone::runtime {
namespace {

constexpr std::streamsize kMaxCertificateBytes = std::streamsize{4} << 20;

// A build becomes part of a file's name: letters, digits, '.', '-' and '_' stay.
std::string FileName(const std::string& text) {
  std::string name;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-' || c == '_';
    name += plain ? c : '_';
  }
  return name;
}

Result<std::string> Text(const Json& json, const char* key) {
  const Json* found = json.Find(key);
  if (found == nullptr) return InvalidInput("'{}' is missing", key);
  if (!found->is_text()) return InvalidInput("'{}' must be text", key);
  return found->text();
}

Result<Certificate> Parse(const std::string& text) {
  const Json json = ParseJsonOrNull(text, {.max_depth = 32});
  if (!json.is_object()) {
    return InvalidInput("a certificate must be a JSON object");
  }
  ANEMONE_ASSIGN(const std::string schema, Text(json, "schema"));
  if (schema != kCertificateSchema) {
    return InvalidInput("'schema' must be \"{}\", but is \"{}\"", kCertificateSchema, schema);
  }
  if (json["schema_version"] != kCertificateSchemaVersion) {
    return InvalidInput("'schema_version' must be {}", kCertificateSchemaVersion);
  }
  ANEMONE_ASSIGN(const std::string verdict, Text(json, "verdict"));
  if (verdict != "PASS") {
    return InvalidInput("'verdict' must be \"PASS\", but is \"{}\"", verdict);
  }
  Certificate certificate;
  ANEMONE_ASSIGN(certificate.model_hash, Text(json, "model_hash"));
  ANEMONE_ASSIGN(certificate.os_build, Text(json, "os_build"));
  ANEMONE_ASSIGN(certificate.backend, Text(json, "backend"));
  ANEMONE_ASSIGN(certificate.compute_units, Text(json, "compute_units"));
  ANEMONE_ASSIGN(certificate.policy, Text(json, "policy"));
  ANEMONE_ASSIGN(certificate.policy_sha256, Text(json, "policy_sha256"));
  ANEMONE_ASSIGN(certificate.chip, Text(json, "chip"));
  const Json* time = json.Find("time_unix_ns");
  if (time == nullptr || !time->is_integer()) {
    return InvalidInput("'time_unix_ns' must be an integer");
  }
  certificate.time_unix_ns = time->integer();
  const auto& hash = certificate.model_hash;
  if (hash.size() != 64 || hash.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return InvalidInput("'model_hash' must be 64 lower-case hexadecimal digits");
  }
  return certificate;
}

}  // namespace

std::string CertificatePath(const std::string& directory, const std::string& model_hash,
                            const std::string& os_build) {
  return directory + "/" + FileName(model_hash) + "-" + FileName(os_build) + ".gate.json";
}

Result<Certificate> ReadCertificate(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) return NotFound("the certificate does not exist").At(path);
  std::string text(static_cast<size_t>(kMaxCertificateBytes) + 1, '\0');
  stream.read(text.data(), kMaxCertificateBytes + 1);
  if (stream.gcount() > kMaxCertificateBytes) {
    return InvalidInput("a certificate must not exceed {} bytes", kMaxCertificateBytes).At(path);
  }
  text.resize(static_cast<size_t>(stream.gcount()));
  return Parse(text).At(path);
}

bool IsCertified(const std::string& directory, const std::string& model_hash,
                 const std::string& os_build, const std::string& backend) {
  if (directory.empty() || model_hash.empty()) return false;
  const auto certificate = ReadCertificate(CertificatePath(directory, model_hash, os_build));
  return certificate.ok() && certificate->model_hash == model_hash &&
         certificate->os_build == os_build && certificate->backend == backend;
}

}  // namespace anemone::runtime
