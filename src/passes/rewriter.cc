#include "passes/rewriter.h"

#include <algorithm>
#include <cassert>

#include "base/mapped_file.h"

namespace anemone::passes {
namespace {

template <typename Visitor>
void ForEachBlock(ir::Block& block, const Visitor& visit) {
  visit(block);
  for (const auto& operation : block.operations()) {
    for (const auto& inner : operation->blocks()) ForEachBlock(*inner, visit);
  }
}

}  // namespace

Rewriter::Rewriter(ir::Function& function) : function_(function), builder_(function, &scratch_) {
  ir::ForEachOperation(*function.block,
                       [&](ir::Operation& operation) { operations_.push_back(&operation); });
  ForEachBlock(*function.block, [&](ir::Block& block) {
    for (const auto& input : block.inputs()) input_block_[input.get()] = &block;
  });
}

ir::UseMap& Rewriter::Uses() const {
  if (!uses_) uses_ = ir::FindUses(function_);
  return *uses_;
}

size_t Rewriter::UseCount(const ir::Value* value) const {
  const auto found = Uses().find(value);
  return found == Uses().end() ? 0 : found->second.size();
}

ir::Operation* Rewriter::OnlyUser(const ir::Value* value) const {
  const auto found = Uses().find(value);
  return found == Uses().end() || found->second.size() != 1 ? nullptr : found->second[0].operation;
}

bool Rewriter::IsFunctionOutput(const ir::Value* value) const {
  // By its uses, which are few, not by the outputs, of which a model may have thousands.
  const auto found = Uses().find(value);
  return found != Uses().end() && std::ranges::any_of(found->second, [&](const ir::Use& use) {
           return use.operation == nullptr && use.block == function_.block.get();
         });
}

void Rewriter::AddUses(ir::Operation& operation) {
  const auto& arguments = operation.arguments();
  for (size_t a = 0; a < arguments.size(); ++a) {
    for (size_t i = 0; i < arguments[a].values.size(); ++i) {
      Uses()[arguments[a].values[i]].push_back({&operation, operation.parent(), a, i});
    }
  }
}

void Rewriter::RemoveUses(ir::Operation& operation) {
  for (const ir::Argument& argument : operation.arguments()) {
    for (const ir::Value* value : argument.values) {
      std::erase_if(Uses()[value], [&](const ir::Use& use) { return use.operation == &operation; });
    }
  }
}

Status Rewriter::TakeScratch(Operations* placed) {
  ANEMONE_TRY(builder_.status());
  for (auto& operation : scratch_.TakeOperations()) {
    AddUses(*operation);
    for (const auto& output : operation->outputs()) fresh_.insert(output.get());
    placed->push_back(std::move(operation));
    changed_ = true;
  }
  scratch_.EraseIf([](const ir::Operation&) { return true; });
  return {};
}

Status Rewriter::Commit(const ir::Operation& anchor) { return TakeScratch(&before_[&anchor]); }

Status Rewriter::CommitAfter(const ir::Value* value) {
  if (value->producer != nullptr) return TakeScratch(&after_[value->producer]);
  return TakeScratch(&at_start_[input_block_.at(value)]);
}

void Rewriter::Discard() {
  scratch_.EraseIf([](const ir::Operation&) { return true; });
}

bool Rewriter::CanReplace(const ir::Value* old, const ir::Value* replacement) const {
  if (old == replacement) return false;
  if (!IsFunctionOutput(old)) return true;
  const ir::Operation* producer = replacement->producer;
  return producer != nullptr && !producer->is_const() && !IsFunctionOutput(replacement);
}

void Rewriter::TakeName(ir::Value* from, ir::Value* to) {
  std::string name = from->name;
  from->name = builder_.UniqueName(name + "_old");
  to->name = std::move(name);
  if (to->producer != nullptr && from->producer != nullptr) {
    auto& attributes = from->producer->attributes();
    const auto found = attributes.find("name");
    if (found != attributes.end()) to->producer->attributes()["name"] = found->second;
  }
}

void Rewriter::Replace(ir::Value* old, ir::Value* replacement) {
  assert(CanReplace(old, replacement));
  if (fresh_.contains(replacement) || IsFunctionOutput(old)) TakeName(old, replacement);
  if (old->producer != nullptr && old->producer->has_int64_results() &&
      replacement->producer != nullptr) {
    replacement->producer->MarkInt64Results();
  }
  fresh_.erase(replacement);  // one name is enough
  std::vector<ir::Use> uses = std::move(Uses()[old]);
  Uses().erase(old);
  auto& target = Uses()[replacement];
  for (const ir::Use& use : uses) {
    if (use.operation != nullptr) {
      use.operation->arguments()[use.argument].values[use.index] = replacement;
    } else {
      use.block->outputs()[use.index] = replacement;
    }
    target.push_back(use);
  }
  changed_ = true;
  DropIfUnused(old->producer);
}

void Rewriter::ReplaceFunctionOutput(ir::Value* old, ir::Value* replacement) {
  if (old->producer != nullptr) TakeName(old, replacement);  // an input keeps its own
  auto& uses = Uses()[old];
  for (size_t i = 0; i < uses.size();) {
    if (uses[i].operation == nullptr && uses[i].block == function_.block.get()) {
      function_.block->outputs()[uses[i].index] = replacement;
      Uses()[replacement].push_back(uses[i]);
      uses.erase(uses.begin() + static_cast<std::ptrdiff_t>(i));
    } else {
      ++i;
    }
  }
  changed_ = true;
}

void Rewriter::SetInputs(ir::Operation& operation, std::string_view parameter,
                         std::vector<ir::Value*> values) {
  (void)Uses();  // before the change, which AddUses tells
  std::vector<ir::Value*> old = operation.Inputs(parameter);
  RemoveUses(operation);
  operation.SetInputs(parameter, std::move(values));
  AddUses(operation);
  changed_ = true;
  for (const ir::Value* dropped : old) DropIfUnused(dropped->producer);
}

// Dead operations wait for Finish, but weights are large: theirs go at once, so that a pass that
// rewrites all weights of a model does not hold them twice.
void Rewriter::Forget(ir::Value& constant) {
  ReleasePages(constant.literal->bytes());
  constant.literal.reset();
}

void Rewriter::DropIfUnused(ir::Operation* operation) {
  std::vector<ir::Operation*> pending = {operation};
  while (!pending.empty()) {
    ir::Operation* candidate = pending.back();
    pending.pop_back();
    if (candidate == nullptr || dead_.contains(candidate)) continue;
    if (!candidate->is_const() && (candidate->def() == nullptr || !candidate->def()->pure()))
      continue;
    const auto& outputs = candidate->outputs();
    if (std::ranges::any_of(outputs,
                            [&](const auto& output) { return UseCount(output.get()) != 0; }))
      continue;
    dead_.insert(candidate);
    RemoveUses(*candidate);
    if (candidate->is_const()) Forget(*candidate->output());
    for (const ir::Argument& argument : candidate->arguments()) {
      for (const ir::Value* value : argument.values) pending.push_back(value->producer);
    }
  }
}

bool Rewriter::Finish() {
  if (!changed_) return false;
  const auto place = [&](ir::Block& block, Operations& operations) {
    for (auto& operation : operations) {
      if (!dead_.contains(operation.get())) block.Insert(std::move(operation));
    }
  };
  std::vector<ir::Block*> blocks;
  ForEachBlock(*function_.block, [&](ir::Block& block) { blocks.push_back(&block); });
  // Dead operations must outlive the sweep: the keys of the maps point to them.
  Operations graveyard;
  for (ir::Block* block : blocks) {
    Operations old = block->TakeOperations();
    block->EraseIf([](const ir::Operation&) { return true; });
    place(*block, at_start_[block]);
    for (auto& operation : old) {
      ir::Operation* raw = operation.get();
      const auto before = before_.find(raw);
      if (before != before_.end()) place(*block, before->second);
      if (dead_.contains(raw)) {
        graveyard.push_back(std::move(operation));
      } else {
        block->Insert(std::move(operation));
      }
      const auto after = after_.find(raw);
      if (after != after_.end()) place(*block, after->second);
    }
  }
  return true;
}

}  // namespace anemone::passes
