// The computation behind the double: a package read and run by the project's own CPU executor,
// behind a C interface that Objective-C can call. Arrays are passed contiguous, in Core ML's
// element types. Thread rules: a model serves one call at a time; models are independent.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { kDoubleMaxRank = 8 };
enum { kDoubleInputs, kDoubleOutputs, kDoubleStates };

// A classifier's outputs: `data` is the index of the class (int32), or the probabilities (float).
enum { kDoubleTensor, kDoubleLabel, kDoubleProbabilities };

typedef struct {
  const char* name;
  int kind;                    // kDoubleTensor, or of a classifier
  const char* const* classes;  // class_count names, decimal when int_classes
  int class_count;
  int int_classes;
  uint32_t pixel_format;  // 0: an array
  int bgr;                // the program sees the planes in this order, else red first
  int64_t data_type;      // MLMultiArrayDataType
  int rank;               // 0 and shape[0] == -1: any shape
  int64_t shape[kDoubleMaxRank];
  int fixed;  // the shape is the only one
  void* data;
} DoubleTensor;

typedef struct DoubleOperation {
  const char* type;  // "ios17.conv"
  const char* const* outputs;
  int output_count;
  int is_const;
  const struct DoubleBlock* blocks;
  int block_count;
} DoubleOperation;
typedef struct DoubleBlock {
  const DoubleOperation* operations;
  int count;
} DoubleBlock;
typedef struct {
  const char* name;
  DoubleBlock block;
} DoubleFunction;

typedef struct DoubleModel DoubleModel;

// `function` may be NULL: the default one. NULL with a message in `error` when it cannot be read.
DoubleModel* DoubleModelOpen(const char* path, const char* function, char* error, size_t size);
void DoubleModelClose(DoubleModel* model);
// The features of the function: kDoubleInputs, kDoubleOutputs or kDoubleStates.
int DoubleModelFeatures(const DoubleModel* model, int which, const DoubleTensor** features);
// Runs once. `states` are read and written in place. The outputs stay until the next call.
// 0 with a message in `error` when it fails.
int DoubleModelRun(DoubleModel* model, const DoubleTensor* inputs, int input_count,
                   const DoubleTensor* states, int state_count, const DoubleTensor** outputs,
                   int* output_count, char* error, size_t size);
// The operations of every function of the package.
int DoubleModelFunctions(const DoubleModel* model, const DoubleFunction** functions);

#ifdef __cplusplus
}
#endif
