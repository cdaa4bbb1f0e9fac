// Class labels: makes a network that scores classes a classifier, as coremltools' ClassifierConfig
// does: its outputs are the label of the best class (classLabel) and a dictionary from each label to
// its score (classLabel_probs). Thread rules: changes the model it is given.
#pragma once

#include "anemone/options.h"
#include "base/status.h"
#include "ir/model.h"

namespace anemone::facade {

// With the labels of the file `options.labels`; nothing when it is empty. kUsage when no
// output, or more than one, has as many elements as there are labels; kInvalidInput for a file that
// holds none. What is doubtful (labels that stand twice, scores that are no probabilities) is a note
// of the model.
Status DeclareClassLabels(ir::Model& model, const ConvertOptions& options);

}  // namespace anemone::facade
