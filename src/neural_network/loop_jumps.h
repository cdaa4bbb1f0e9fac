// loopBreak and loopContinue, written as branches: while_loop runs its whole body, so what stands after
// a jump is put into the branch that has not jumped.
//
// before:  a; branch(c) { loopBreak } ; b
// after:   skip = 0; a; branch(c) { broken = 1; skip = 1 }; branch(skip) {} else { b }
//
// The loop goes on while its condition holds and `broken` is 0.
#pragma once

#include <string>

#include "neural_network/network.h"

namespace anemone::neural_network {

// The blobs of one number that say what has happened: names that the network does not use.
struct JumpFlags {
  std::string broken;  // the loop has ended
  std::string skip;    // this round has
};

// Whether a jump belongs to this network itself or to a branch of it; those of nested loops do not.
bool HasJump(const Layers& layers);

// A copy of the body without jumps.
nn::NeuralNetwork WithoutJumps(const nn::NeuralNetwork& body, const JumpFlags& flags);

}  // namespace anemone::neural_network
