#include "serve/scheduler.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "exec/synthetic_inputs.h"
#include "ir/feature_shapes.h"
#include "serve/rows.h"

namespace anemone::serve {
namespace {

// Sums of floats may be taken in another order for more rows at once.
constexpr double kJoinTolerance = 1e-3;

std::chrono::steady_clock::time_point At(int64_t ns) {
  return std::chrono::steady_clock::time_point(std::chrono::nanoseconds(ns));
}

}  // namespace

struct Scheduler::Job {
  Tensors inputs;
  int64_t rows = 0;  // 0: joins nothing
  int64_t arrived_ns = 0;
  int64_t begun_ns = 0;
  std::optional<Result<Answer>> answer;
};

Scheduler::Scheduler(runtime::Session& session, const SchedulerOptions& options)
    : session_(session), options_(options) {
  for (int i = 0; i < std::max(1, options.workers); ++i) workers_.emplace_back([this] { Work(); });
}

Scheduler::~Scheduler() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  arrived_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

Result<Answer> Scheduler::Predict(Tensors inputs, int64_t deadline_ns) {
  auto job = std::make_shared<Job>();
  if (options_.max_batch > 1) job->rows = RowsOf(inputs).value_or(0);
  job->inputs = std::move(inputs);
  job->arrived_ns = NowNs();
  std::unique_lock lock(mutex_);
  if (counts_.waiting >= options_.max_queue) {
    ++counts_.refused;
    return Unavailable("{} requests wait for the model already", counts_.waiting)
        .Advise("try again later");
  }
  queue_.push_back(job);
  ++counts_.waiting;
  // A worker may wait for others to join the job that it has, and another for any job.
  arrived_.notify_all();
  answered_.wait_until(lock, At(deadline_ns), [&] { return job->answer.has_value(); });
  if (!job->answer) {
    ++counts_.late;
    // Its place in the queue, if it is still there, is for others.
    if (std::erase(queue_, job) > 0) --counts_.waiting;
    return Error(ErrorCode::kTimeout, "the model did not answer in time")
        .Advise("the server's option --timeout is the limit");
  }
  return *std::move(job->answer);
}

SchedulerCounts Scheduler::counts() const {
  const std::lock_guard lock(mutex_);
  return counts_;
}

void Scheduler::Work() {
  std::unique_lock lock(mutex_);
  while (true) {
    arrived_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    const Jobs jobs = Take(lock);
    ++counts_.running;
    lock.unlock();
    if (jobs.size() == 1 || !RunJoined(jobs)) {
      for (const auto& job : jobs) RunOne(*job);
    }
    lock.lock();
    --counts_.running;
  }
}

void Scheduler::Join(Jobs& jobs) {
  int64_t rows = 0;
  for (const auto& job : jobs) rows += job->rows;
  for (auto next = queue_.begin(); next != queue_.end() && rows < options_.max_batch;) {
    const auto& job = *next;
    const bool fits = job->rows > 0 && rows + job->rows <= options_.max_batch &&
                      FitTogether(job->inputs, jobs.front()->inputs);
    if (!fits) {
      ++next;
      continue;
    }
    rows += job->rows;
    jobs.push_back(job);
    next = queue_.erase(next);
    --counts_.waiting;
  }
}

Scheduler::Jobs Scheduler::Take(std::unique_lock<std::mutex>& lock) {
  Jobs jobs{queue_.front()};
  queue_.pop_front();
  --counts_.waiting;
  if (jobs.front()->rows > 0) {
    const auto full = [&] {
      Join(jobs);
      int64_t rows = 0;
      for (const auto& job : jobs) rows += job->rows;
      return stopping_ || rows >= options_.max_batch;
    };
    arrived_.wait_until(lock, At(jobs.front()->arrived_ns + options_.max_delay_ns), full);
  }
  const int64_t now = NowNs();
  for (const auto& job : jobs) job->begun_ns = now;
  ++counts_.calls;
  if (jobs.size() > 1) counts_.joined += jobs.size();
  return jobs;
}

void Scheduler::RunOne(Job& job) {
  Answer answer;
  answer.batch = job.rows;
  auto outputs = session_.Predict(job.inputs, nullptr, &answer.report);
  if (!outputs.ok()) return Finish(job, outputs.error());
  answer.outputs = std::move(*outputs);
  Finish(job, std::move(answer));
}

bool Scheduler::RunJoined(const Jobs& jobs) {
  std::vector<const Tensors*> parts;
  int64_t rows = 0;
  for (const auto& job : jobs) {
    parts.push_back(&job->inputs);
    rows += job->rows;
  }
  const auto inputs = JoinRows(parts);
  if (!inputs.ok()) return false;
  runtime::CallReport report;
  const auto outputs = session_.Predict(*inputs, nullptr, &report);
  // Each caller then gets an error of its own, or an answer.
  if (!outputs.ok() || RowsOf(*outputs) != rows) return false;
  int64_t begin = 0;
  for (const auto& job : jobs) {
    auto taken = TakeRows(*outputs, begin, job->rows);
    begin += job->rows;
    if (!taken.ok()) {
      Finish(*job, taken.error());
    } else {
      Finish(*job, Answer{.outputs = std::move(*taken), .report = report, .batch = rows});
    }
  }
  return true;
}

void Scheduler::Finish(Job& job, Result<Answer> answer) {
  if (answer.ok()) answer->waiting_ns = job.begun_ns - job.arrived_ns;
  {
    const std::lock_guard lock(mutex_);
    job.answer.emplace(std::move(answer));
  }
  answered_.notify_all();
}

namespace {

Result<Tensors> OneRow(const ir::Model& model, const ir::Function& function, int sample) {
  ANEMONE_ASSIGN(const Tensors inputs, exec::SyntheticInputs(model, function, 0, sample));
  if (!RowsOf(inputs)) return Usage("its inputs have no first dimension in common");
  return TakeRows(inputs, 0, 1);
}

// The largest difference, as a share of the largest value.
double DriftOf(const exec::Tensor& a, const exec::Tensor& b) {
  if (a.dtype() != DType::kFp32) {
    const bool same = std::memcmp(a.As<std::byte>(), b.As<std::byte>(), a.size_bytes()) == 0;
    return same ? 0 : 1;
  }
  double largest = 1e-6;
  double difference = 0;
  for (int64_t i = 0; i < a.count(); ++i) {
    largest = std::max(largest, std::abs(static_cast<double>(a.As<float>()[i])));
    difference =
        std::max(difference, std::abs(static_cast<double>(a.As<float>()[i]) - b.As<float>()[i]));
  }
  return difference / largest;
}

Status CheckOpen(const ir::Model& model, const ir::Function& function, int max_batch) {
  for (const auto& input : function.inputs()) {
    const ir::Type& type = input->type;
    if (!type.is_tensor() || type.shape().empty() || type.shape()[0] != ir::kDynamic) {
      return Usage("the first dimension of the input '{}' is fixed: {}", input->name,
                   type.ToString());
    }
    ANEMONE_ASSIGN(ir::Shape shape, ir::DefaultInputShape(model, function, *input));
    const ir::Feature* feature = ir::FindInputFeature(model, function, input->name);
    for (const int64_t rows : {int64_t{1}, static_cast<int64_t>(max_batch)}) {
      shape[0] = rows;
      if (feature != nullptr) ANEMONE_TRY(ir::CheckFeatureShape(*feature, shape).At(input->name));
    }
  }
  return {};
}

Status CheckRows(const ir::Model& model, runtime::Session& session) {
  const ir::Function& function = session.function();
  ANEMONE_ASSIGN(const Tensors first, OneRow(model, function, 0));
  ANEMONE_ASSIGN(const Tensors second, OneRow(model, function, 1));
  const Tensors* const parts[] = {&first, &second};
  ANEMONE_ASSIGN(const Tensors both, JoinRows(parts));
  ANEMONE_ASSIGN(const Tensors joined, session.Predict(both));
  if (RowsOf(joined) != 2) return Usage("its outputs have no row for each row of the inputs");
  for (int row = 0; row < 2; ++row) {
    ANEMONE_ASSIGN(const Tensors alone, session.Predict(*parts[row]));
    ANEMONE_ASSIGN(const Tensors taken, TakeRows(joined, row, 1));
    for (const auto& [name, tensor] : alone) {
      const double drift =
          tensor.shape() == taken.at(name).shape() ? DriftOf(tensor, taken.at(name)) : 1;
      if (!(drift <= kJoinTolerance)) {
        return Usage("the output '{}' of a row depends on the other rows (by {:.2g} of its range)",
                     name, drift);
      }
    }
  }
  return {};
}

}  // namespace

Status CheckJoinable(const ir::Model& model, runtime::Session& session, int max_batch) {
  Status status = CheckOpen(model, session.function(), max_batch);
  if (status.ok()) status = CheckRows(model, session);
  if (status.ok()) return status;
  return Usage("requests to this model cannot be joined: {}", status.error().ToString())
      .Advise(
          "leave --max-batch out, or export the model with an open first dimension, and convert it "
          "with "
          "--input NAME:[1..32]x3x224x224")
      .At("max_batch");
}

}  // namespace anemone::serve
