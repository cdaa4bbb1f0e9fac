#include "lab/jobs_db.h"

#include <sqlite3.h>

#include <cmath>
#include <filesystem>
#include <mutex>

namespace anemone::lab {
namespace {

constexpr int kDatabaseVersion = 1;
constexpr int kApplicationId = 0x416e656d;  // "Anem"

constexpr const char* kCreateTables = R"sql(
create table subject(
  sha256 text primary key,          -- of both models and the samples
  model text not null,
  samples text not null) without rowid;
create table job(
  key text primary key,             -- sha256 of the subject and the configuration
  configuration text not null,      -- what `anemone compress --config` takes
  state text not null default 'pending' check (state in ('pending', 'done', 'failed')),
  error_code text,
  error text,
  duration_ns integer,
  finished text) without rowid;     -- UTC
create table variant(
  subject text not null references subject,
  name text not null,
  position integer not null,
  key text not null references job,
  primary key (subject, name)) without rowid;
create table result(
  key text primary key references job,
  package_bytes integer not null,
  weight_bytes integer not null,
  samples integer not null,
  top1 integer,                     -- of the samples; null without labels
  top5 integer,
  agreement integer,                -- samples on which the best class is the reference's
  loss real,                        -- null: not finite
  document text not null) without rowid;  -- all of it, JSON
create table sensitivity(
  subject text not null references subject,
  weight text not null,
  form text not null,
  bytes integer not null,
  loss real,                        -- of the outputs when only this weight has this form
  snr_db real,                      -- of the operator's own output
  primary key (subject, weight, form)) without rowid;
create table note(
  subject text not null references subject,
  key text not null,
  document text not null,
  primary key (subject, key)) without rowid;
create view summary as
  select variant.subject, variant.position, variant.name, job.state, result.package_bytes,
         result.weight_bytes, result.samples, result.top1, result.top5, result.agreement,
         result.loss, job.duration_ns, job.error, variant.key
  from variant join job on job.key = variant.key left join result on result.key = variant.key
  order by variant.subject, variant.position;
)sql";

Error SqliteError(sqlite3* db, const std::string& path) {
  const int code = db != nullptr ? sqlite3_errcode(db) : SQLITE_NOMEM;
  const char* text = db != nullptr ? sqlite3_errmsg(db) : "out of memory";
  if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
    return InvalidInput("this is not a lab database: {}", text).At(path);
  if (code == SQLITE_FULL) return IoError("the disk is full").At(path).Advise("free some space");
  return IoError("the database cannot be used: {}", text).At(path);
}

}  // namespace

struct JobsDb::State {
  sqlite3* db = nullptr;
  std::string path;
  std::mutex mutex;
  ~State() { sqlite3_close_v2(db); }

  Status Exec(const char* sql) {
    if (sqlite3_exec(db, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return SqliteError(db, path);
    return {};
  }
};

namespace {

// One prepared statement, bound in order.
class Statement {
 public:
  Statement(sqlite3* db, const std::string& path, const char* sql) : db_(db), path_(path) {
    failed_ = sqlite3_prepare_v2(db, sql, -1, &statement_, nullptr) != SQLITE_OK;
  }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement() { sqlite3_finalize(statement_); }

  Statement& Text(const std::string& text) {
    return Check(sqlite3_bind_text64(statement_, ++bound_, text.data(), text.size(),
                                     SQLITE_TRANSIENT, SQLITE_UTF8));
  }
  Statement& TextOrNull(const std::string& text) {
    if (!text.empty()) return Text(text);
    return Check(sqlite3_bind_null(statement_, ++bound_));
  }
  Statement& Int(int64_t value) { return Check(sqlite3_bind_int64(statement_, ++bound_, value)); }
  Statement& IntOrNull(const std::optional<int64_t>& value) {
    return value ? Int(*value) : Check(sqlite3_bind_null(statement_, ++bound_));
  }
  Statement& Real(double value) {
    return Check(std::isfinite(value) ? sqlite3_bind_double(statement_, ++bound_, value)
                                      : sqlite3_bind_null(statement_, ++bound_));
  }
  // True when there is a row.
  Result<bool> Step() {
    if (failed_) return SqliteError(db_, path_);
    const int code = sqlite3_step(statement_);
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return SqliteError(db_, path_);
  }
  Status Run() { return Step().status(); }
  std::string Column(int index) const {
    const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement_, index));
    return text == nullptr
               ? ""
               : std::string(text, static_cast<size_t>(sqlite3_column_bytes(statement_, index)));
  }
  int64_t IntColumn(int index) const { return sqlite3_column_int64(statement_, index); }

 private:
  Statement& Check(int code) {
    failed_ |= code != SQLITE_OK;
    return *this;
  }
  sqlite3* db_;
  const std::string& path_;
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
  bool failed_ = false;
};

// Rolled back unless committed.
template <typename Body>
Status InTransaction(sqlite3* db, const std::string& path, const Body& body) {
  // Immediate, because a transaction that reads first and then fails to get the lock cannot wait.
  if (sqlite3_exec(db, "begin immediate", nullptr, nullptr, nullptr) != SQLITE_OK)
    return SqliteError(db, path);
  Status status = body();
  if (status.ok() && sqlite3_exec(db, "commit", nullptr, nullptr, nullptr) != SQLITE_OK)
    status = SqliteError(db, path);
  if (!status.ok()) sqlite3_exec(db, "rollback", nullptr, nullptr, nullptr);
  return status;
}

}  // namespace

JobsDb::JobsDb(std::unique_ptr<State> state) : state_(std::move(state)) {}
JobsDb::JobsDb(JobsDb&&) noexcept = default;
JobsDb& JobsDb::operator=(JobsDb&&) noexcept = default;
JobsDb::~JobsDb() = default;

Result<JobsDb> JobsDb::Open(const std::string& path) {
  auto state = std::make_unique<State>();
  state->path = path;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_FULLMUTEX;
  if (sqlite3_open_v2(path.c_str(), &state->db, flags, nullptr) != SQLITE_OK)
    return SqliteError(state->db, path);
  sqlite3_busy_timeout(state->db, 60'000);
  ANEMONE_TRY(state->Exec("pragma journal_mode = wal; pragma synchronous = normal;"));
  const auto prepare = [&]() -> Status {
    int64_t version = 0;
    int64_t tables = 0;
    int64_t application = 0;
    {
      Statement read(state->db, path,
                     "select user_version, (select count(*) from sqlite_schema), application_id "
                     "from pragma_user_version, pragma_application_id");
      ANEMONE_TRY(read.Step().status());
      version = read.IntColumn(0);
      tables = read.IntColumn(1);
      application = read.IntColumn(2);
    }
    if (version == 0 && tables == 0) {
      ANEMONE_TRY(state->Exec(kCreateTables));
      const std::string stamp = fmt::format("pragma user_version = {}; pragma application_id = {};",
                                            kDatabaseVersion, kApplicationId);
      return state->Exec(stamp.c_str());
    }
    if (application != kApplicationId) return InvalidInput("this is not a lab database").At(path);
    if (version != kDatabaseVersion) {
      return Unsupported("the database has schema version {}, but this tool reads {}", version,
                         kDatabaseVersion)
          .At(path)
          .Advise("give another output folder");
    }
    return {};
  };
  ANEMONE_TRY(InTransaction(state->db, path, prepare));
  return JobsDb(std::move(state));
}

Status JobsDb::AddSubject(const std::string& sha256, const std::string& model,
                          const std::string& samples) {
  const std::lock_guard lock(state_->mutex);
  return Statement(state_->db, state_->path, "insert or ignore into subject values (?, ?, ?)")
      .Text(sha256)
      .Text(model)
      .Text(samples)
      .Run();
}

Status JobsDb::AddVariant(const std::string& subject, const std::string& name, int64_t position,
                          const std::string& key, const std::string& configuration) {
  const std::lock_guard lock(state_->mutex);
  return InTransaction(state_->db, state_->path, [&]() -> Status {
    ANEMONE_TRY(Statement(state_->db, state_->path,
                          "insert or ignore into job(key, configuration) values (?, ?)")
                    .Text(key)
                    .Text(configuration)
                    .Run());
    return Statement(state_->db, state_->path, "insert or replace into variant values (?, ?, ?, ?)")
        .Text(subject)
        .Text(name)
        .Int(position)
        .Text(key)
        .Run();
  });
}

Result<std::optional<JobOutcome>> JobsDb::Find(const std::string& key) {
  const std::lock_guard lock(state_->mutex);
  Statement read(state_->db, state_->path,
                 "select document, error_code, error, duration_ns from job left join result "
                 "using (key) where key = ? and state != 'pending'");
  read.Text(key);
  ANEMONE_ASSIGN(const bool found, read.Step());
  if (!found) return std::optional<JobOutcome>();
  return std::optional(
      JobOutcome{read.Column(0), read.Column(1), read.Column(2), read.IntColumn(3)});
}

Status JobsDb::Store(const std::string& key, const VariantResult& result,
                     const JobOutcome& outcome) {
  const std::lock_guard lock(state_->mutex);
  return InTransaction(state_->db, state_->path, [&]() -> Status {
    ANEMONE_TRY(Statement(state_->db, state_->path,
                          "insert or replace into result values (?, ?, ?, ?, ?, ?, ?, ?, ?)")
                    .Text(key)
                    .Int(result.package_bytes)
                    .Int(result.weight_bytes)
                    .Int(result.samples)
                    .IntOrNull(result.top1)
                    .IntOrNull(result.top5)
                    .IntOrNull(result.agreement)
                    .Real(result.loss)
                    .Text(outcome.result)
                    .Run());
    return Statement(state_->db, state_->path,
                     "update job set state = 'done', error_code = null, error = null, "
                     "duration_ns = ?, finished = datetime() where key = ?")
        .Int(outcome.duration_ns)
        .Text(key)
        .Run();
  });
}

Status JobsDb::StoreFailure(const std::string& key, const JobOutcome& outcome) {
  const std::lock_guard lock(state_->mutex);
  return Statement(state_->db, state_->path,
                   "update job set state = 'failed', error_code = ?, error = ?, duration_ns = ?, "
                   "finished = datetime() where key = ?")
      .TextOrNull(outcome.error_code)
      .TextOrNull(outcome.error)
      .Int(outcome.duration_ns)
      .Text(key)
      .Run();
}

Result<std::optional<std::string>> JobsDb::FindNote(const std::string& subject,
                                                    const std::string& key) {
  const std::lock_guard lock(state_->mutex);
  Statement read(state_->db, state_->path,
                 "select document from note where subject = ? and key = ?");
  read.Text(subject).Text(key);
  ANEMONE_ASSIGN(const bool found, read.Step());
  return found ? std::optional(read.Column(0)) : std::optional<std::string>();
}

Status JobsDb::StoreNote(const std::string& subject, const std::string& key,
                         const std::string& document) {
  const std::lock_guard lock(state_->mutex);
  return Statement(state_->db, state_->path, "insert or replace into note values (?, ?, ?)")
      .Text(subject)
      .Text(key)
      .Text(document)
      .Run();
}

Status JobsDb::StoreSensitivity(const std::string& subject, const std::string& weight,
                                const std::string& form, int64_t bytes, double loss,
                                double snr_db) {
  const std::lock_guard lock(state_->mutex);
  return Statement(state_->db, state_->path,
                   "insert or replace into sensitivity values (?, ?, ?, ?, ?, ?)")
      .Text(subject)
      .Text(weight)
      .Text(form)
      .Int(bytes)
      .Real(loss)
      .Real(snr_db)
      .Run();
}

Status JobsDb::Checkpoint() {
  const std::lock_guard lock(state_->mutex);
  return state_->Exec("pragma wal_checkpoint(truncate)");
}

}  // namespace anemone::lab
