// MLModel and MLState of the double: compiling copies the package, predicting runs it.
#include <string.h>

#import "CoreML/double_internal.h"

enum { kMaxFeatures = 64 };

BOOL DoubleFails(DoubleFaultChoice fault, NSString* what, NSError** error) {
  if (error) *error = nil;
  switch (fault.kind) {
    case kFaultError:
      if (error) {
        NSError* cause = [NSError errorWithDomain:NSPOSIXErrorDomain code:5 userInfo:nil];
        NSDictionary* info = [NSDictionary
            dictionaryWithObjectsAndKeys:[NSString stringWithFormat:@"injected: %@ failed", what],
                                         NSLocalizedDescriptionKey, cause, NSUnderlyingErrorKey,
                                         nil];
        *error = [NSError errorWithDomain:MLModelErrorDomain
                                     code:fault.argument < 0 ? 0 : (NSInteger)fault.argument
                                 userInfo:info];
      }
      return YES;
    case kFaultMemory:
      if (error) *error = DoubleError(MLModelErrorGeneric, @"injected: unable to allocate memory");
      return YES;
    case kFaultNil:
      return YES;
    case kFaultThrow:
      [NSException raise:@"DoubleException" format:@"injected: %@ threw", what];
      return YES;
    case kFaultLeak:
      for (int64_t i = 0; i < (fault.argument < 1 ? 1 : fault.argument); ++i) {
        [[DoubleObject alloc] init];
      }
      return NO;
    default:
      return NO;
  }
}

static MLMultiArray* PaddedArray(const DoubleTensor* tensor);

// Copies between a strided array and contiguous memory.
static void CopyElements(MLMultiArray* array, char* contiguous, BOOL to_array) {
  const NSInteger size = DoubleElementSize([array dataType]);
  const NSUInteger rank = [[array shape] count];
  NSInteger shape[kDoubleMaxRank], strides[kDoubleMaxRank], index[kDoubleMaxRank] = {0};
  for (NSUInteger i = 0; i < rank; ++i) {
    shape[i] = [[[array shape] objectAtIndex:i] integerValue];
    strides[i] = [[[array strides] objectAtIndex:i] integerValue];
  }
  char* bytes = [array doubleBytes];
  for (NSInteger n = 0; n < [array count]; ++n) {
    NSInteger offset = 0;
    for (NSUInteger i = 0; i < rank; ++i) offset += index[i] * strides[i];
    char* element = bytes + offset * size;
    if (to_array) {
      memcpy(element, contiguous + n * size, (size_t)size);
    } else {
      memcpy(contiguous + n * size, element, (size_t)size);
    }
    for (NSUInteger i = rank; i > 0; --i) {
      if (++index[i - 1] < shape[i - 1]) break;
      index[i - 1] = 0;
    }
  }
}

static float HalfBits(uint16_t bits) {
  __fp16 value;
  memcpy(&value, &bits, sizeof value);
  return (float)value;
}

// Pixels as the program gets them: planes of a [1, C, H, W] float array.
static NSMutableData* PlanesOf(CVPixelBufferRef image, int channels, int bgr) {
  const size_t width = CVPixelBufferGetWidth(image), height = CVPixelBufferGetHeight(image);
  NSMutableData* data = [NSMutableData dataWithLength:width * height * channels * sizeof(float)];
  float* planes = [data mutableBytes];
  CVPixelBufferLockBaseAddress(image, kCVPixelBufferLock_ReadOnly);
  const unsigned char* base = CVPixelBufferGetBaseAddress(image);
  for (size_t y = 0; y < height; ++y) {
    const unsigned char* row = base + y * CVPixelBufferGetBytesPerRow(image);
    for (size_t x = 0; x < width; ++x) {
      float* to = planes + y * width + x;
      switch (CVPixelBufferGetPixelFormatType(image)) {
        case kCVPixelFormatType_32BGRA:
          for (size_t c = 0; c < 3; ++c) {
            to[c * width * height] = row[4 * x + (bgr ? c : 2 - c)];
          }
          break;
        case kCVPixelFormatType_OneComponent8:
          to[0] = row[x];
          break;
        default: {
          uint16_t bits;
          memcpy(&bits, row + 2 * x, 2);
          to[0] = HalfBits(bits);
        }
      }
    }
  }
  CVPixelBufferUnlockBaseAddress(image, kCVPixelBufferLock_ReadOnly);
  return data;
}

static CVPixelBufferRef ImageOf(const DoubleTensor* tensor) {
  CVPixelBufferRef image = NULL;
  const size_t height = (size_t)tensor->shape[tensor->rank - 2];
  const size_t width = (size_t)tensor->shape[tensor->rank - 1];
  if (CVPixelBufferCreate(NULL, width, height, tensor->pixel_format, NULL, &image)) return NULL;
  const float* planes = tensor->data;
  CVPixelBufferLockBaseAddress(image, 0);
  unsigned char* base = CVPixelBufferGetBaseAddress(image);
  for (size_t y = 0; y < height; ++y) {
    unsigned char* row = base + y * CVPixelBufferGetBytesPerRow(image);
    for (size_t x = 0; x < width; ++x) {
      const float* from = planes + y * width + x;
      for (size_t c = 0; c < (tensor->pixel_format == kCVPixelFormatType_32BGRA ? 3u : 1u); ++c) {
        const float value = from[c * width * height];
        const float clamped = value < 0 ? 0 : value > 255 ? 255 : value;
        if (tensor->pixel_format == kCVPixelFormatType_32BGRA) {
          row[4 * x + (tensor->bgr ? c : 2 - c)] = (unsigned char)(clamped + 0.5f);
        } else if (tensor->pixel_format == kCVPixelFormatType_OneComponent8) {
          row[x] = (unsigned char)(clamped + 0.5f);
        } else {
          const __fp16 half = (__fp16)value;
          memcpy(row + 2 * x, &half, 2);
        }
      }
    }
  }
  CVPixelBufferUnlockBaseAddress(image, 0);
  return image;
}

static NSArray* Numbers(const int64_t* values, int count) {
  NSMutableArray* numbers = [NSMutableArray array];
  for (int i = 0; i < count; ++i) [numbers addObject:[NSNumber numberWithLongLong:values[i]]];
  return numbers;
}

// Rows start at multiples of 64 bytes, as the Neural Engine's do.
static MLMultiArray* PaddedArray(const DoubleTensor* tensor) {
  int64_t shape[kDoubleMaxRank], strides[kDoubleMaxRank];
  const int rank = tensor->rank == 0 ? 1 : tensor->rank;
  for (int i = 0; i < rank; ++i) shape[i] = tensor->rank == 0 ? 1 : tensor->shape[i];
  const int64_t row = 64 / DoubleElementSize(tensor->data_type);
  int64_t stride = 1;
  for (int i = rank; i > 0; --i) {
    strides[i - 1] = stride;
    stride *= shape[i - 1];
    if (i == rank && rank > 1) stride = (stride + row - 1) / row * row;
  }
  return [[[MLMultiArray alloc] initWithShape:Numbers(shape, rank)
                                     dataType:tensor->data_type
                                      strides:Numbers(strides, rank)] autorelease];
}

@implementation MLState
- (id)init {
  if ((self = [super init])) _arrays = [[NSMutableDictionary alloc] init];
  return self;
}
- (void)dealloc {
  [_arrays release];
  [super dealloc];
}
- (void)doubleAdd:(const DoubleTensor*)feature {
  [_arrays setObject:PaddedArray(feature) forKey:[NSString stringWithUTF8String:feature->name]];
}
- (MLMultiArray*)doubleArray:(NSString*)name {
  return [_arrays objectForKey:name];
}
- (void)getMultiArrayForStateNamed:(NSString*)stateName
                           handler:(void (^)(MLMultiArray* buffer))handler {
  MLMultiArray* array = [_arrays objectForKey:stateName];
  if (array == nil) [NSException raise:NSInvalidArgumentException format:@"no such state"];
  handler(array);
}
@end

@implementation MLModel
+ (NSURL*)compileModelAtURL:(NSURL*)modelURL error:(NSError**)error {
  if (DoubleFails(CoreMLDoubleNext(kDoubleCompile), @"compiling", error)) return nil;
  NSFileManager* files = [NSFileManager defaultManager];
  NSString* source = [modelURL path];
  if (![files fileExistsAtPath:source]) {
    if (error) *error = DoubleError(MLModelErrorIO, @"there is no such model");
    return nil;
  }
  NSString* name = [[source lastPathComponent] stringByDeletingPathExtension];
  NSString* compiled = [NSTemporaryDirectory()
      stringByAppendingPathComponent:[NSString stringWithFormat:@"%@_%@.mlmodelc", name,
                                                                [[NSProcessInfo processInfo]
                                                                    globallyUniqueString]]];
  if (![files createDirectoryAtPath:compiled
          withIntermediateDirectories:YES
                           attributes:nil
                                error:error]) {
    return nil;
  }
  NSString* inner = [compiled
      stringByAppendingPathComponent:[@"double." stringByAppendingString:[source pathExtension]]];
  // Writes the file that a reader looks for first last.
  if (![files copyItemAtPath:source toPath:inner error:error] ||
      ![[source pathExtension]
          writeToFile:[compiled stringByAppendingPathComponent:@"coremldata.bin"]
           atomically:YES
             encoding:NSUTF8StringEncoding
                error:error]) {
    return nil;
  }
  return [NSURL fileURLWithPath:compiled];
}

+ (instancetype)modelWithContentsOfURL:(NSURL*)url
                         configuration:(MLModelConfiguration*)configuration
                                 error:(NSError**)error {
  if (DoubleFails(CoreMLDoubleNext(kDoubleLoad), @"loading", error)) return nil;
  NSString* path = [url path];
  NSString* kind =
      [NSString stringWithContentsOfFile:[path stringByAppendingPathComponent:@"coremldata.bin"]
                                encoding:NSUTF8StringEncoding
                                   error:NULL];
  if (kind == nil) {
    if (error) *error = DoubleError(MLModelErrorIO, @"not a compiled model: no coremldata.bin");
    return nil;
  }
  NSString* inner = [path stringByAppendingPathComponent:[@"double." stringByAppendingString:kind]];
  char message[512];
  DoubleModel* opened =
      DoubleModelOpen([inner fileSystemRepresentation], [[configuration functionName] UTF8String],
                      message, sizeof message);
  if (opened == NULL) {
    if (error) *error = DoubleError(MLModelErrorIO, [NSString stringWithUTF8String:message]);
    return nil;
  }
  MLOptimizationHints* hints = [configuration optimizationHints];
  CoreMLDoubleNoteHints(
      ([hints reshapeFrequency] == MLReshapeFrequencyHintInfrequent ? 1 : 0) |
      ([hints specializationStrategy] == MLSpecializationStrategyFastPrediction ? 2 : 0));
  MLModel* model = [[[self alloc] init] autorelease];
  model->_model = opened;
  model->_configuration = [configuration copy];
  return model;
}

- (void)dealloc {
  if (_model != NULL) DoubleModelClose(_model);
  [_configuration release];
  [super dealloc];
}

- (MLState*)newState {
  if (DoubleFails(CoreMLDoubleNext(kDoubleState), @"making a state", NULL)) return nil;
  MLState* state = [[MLState alloc] init];
  const DoubleTensor* features;
  const int count = DoubleModelFeatures(_model, kDoubleStates, &features);
  for (int i = 0; i < count; ++i) [state doubleAdd:&features[i]];
  return state;
}

// One input as the executor takes it, its data held by `keep`; an error message when it does not
// fit.
static NSString* TakeInput(const DoubleTensor* feature, MLFeatureValue* value, DoubleTensor* tensor,
                           NSMutableArray* keep) {
  *tensor = *feature;
  if (value == nil) return [NSString stringWithFormat:@"feature %s is missing", feature->name];
  NSMutableData* data = nil;
  if (feature->pixel_format != 0) {
    CVPixelBufferRef image = [value imageBufferValue];
    if (image == NULL || CVPixelBufferGetPixelFormatType(image) != feature->pixel_format ||
        CVPixelBufferGetWidth(image) != (size_t)feature->shape[3] ||
        CVPixelBufferGetHeight(image) != (size_t)feature->shape[2]) {
      return [NSString stringWithFormat:@"feature %s is another image", feature->name];
    }
    data = PlanesOf(image, (int)feature->shape[1], feature->bgr);
    tensor->data_type = MLMultiArrayDataTypeFloat32;
  } else {
    MLMultiArray* array = [value multiArrayValue];
    NSArray* shape = [array shape];
    BOOL fits = array != nil && [array dataType] == feature->data_type;
    // A scalar of the program is an array of one element.
    const int rank = feature->rank == 0 ? 1 : feature->rank;
    if ((int)[shape count] != rank) fits = NO;
    for (int i = 0; fits && i < rank; ++i) {
      const int64_t size = [[shape objectAtIndex:(NSUInteger)i] longLongValue];
      const int64_t want = feature->rank == 0 ? 1 : feature->shape[i];
      if (want >= 0 && want != size) fits = NO;
      if (feature->rank != 0) tensor->shape[i] = size;
    }
    if (!fits) return [NSString stringWithFormat:@"feature %s does not fit", feature->name];
    data = [NSMutableData
        dataWithLength:(NSUInteger)([array count] * DoubleElementSize([array dataType]))];
    CopyElements(array, [data mutableBytes], NO);
  }
  tensor->data = [data mutableBytes];
  [keep addObject:data];
  return nil;
}

// Spoils the values of a result.
static void Spoil(MLMultiArray* array, DoubleFault fault) {
  const NSInteger size = DoubleElementSize([array dataType]);
  NSMutableData* data = [NSMutableData dataWithLength:(NSUInteger)([array count] * size)];
  CopyElements(array, [data mutableBytes], NO);
  for (NSInteger i = 0; i < [array count]; ++i) {
    char* element = (char*)[data mutableBytes] + i * size;
    if ([array dataType] == MLMultiArrayDataTypeFloat16) {
      uint16_t bits = fault == kFaultNan ? 0x7E00 : fault == kFaultInf ? 0x7C00 : 0;
      if (fault == kFaultWrong) {
        memcpy(&bits, element, 2);
        bits ^= 0x8000 | 0x0400;
      }
      memcpy(element, &bits, 2);
    } else if ([array dataType] == MLMultiArrayDataTypeFloat32) {
      float value;
      memcpy(&value, element, 4);
      value = fault == kFaultNan   ? __builtin_nanf("")
              : fault == kFaultInf ? __builtin_inff()
                                   : -2.0f * value + 1.0f;
      memcpy(element, &value, 4);
    } else {
      element[0] ^= 1;
    }
  }
  CopyElements(array, [data mutableBytes], YES);
}

static MLMultiArray* OutputArray(const DoubleTensor* output, MLMultiArray* backing,
                                 DoubleFault fault) {
  DoubleTensor changed = *output;
  if (fault == kFaultShape && changed.rank > 0) changed.shape[changed.rank - 1] += 1;
  if (fault == kFaultDType) {
    changed.data_type = changed.data_type == MLMultiArrayDataTypeInt32 ? MLMultiArrayDataTypeFloat32
                                                                       : MLMultiArrayDataTypeInt32;
  }
  if (fault == kFaultShape || fault == kFaultDType) return PaddedArray(&changed);
  MLMultiArray* array = backing;
  if (array == nil || fault == kFaultCopy) array = PaddedArray(output);
  CopyElements(array, output->data, YES);
  if (fault == kFaultWrap && array == backing) {
    array = [[[MLMultiArray alloc] initWithDataPointer:[backing doubleBytes]
                                                 shape:[backing shape]
                                              dataType:[backing dataType]
                                               strides:[backing strides]
                                           deallocator:NULL
                                                 error:NULL] autorelease];
  }
  if (fault == kFaultNan || fault == kFaultInf || fault == kFaultWrong) Spoil(array, fault);
  return array;
}

static id ClassKey(const DoubleTensor* output, int index) {
  NSString* name = [NSString stringWithUTF8String:output->classes[index]];
  return output->int_classes ? (id)[NSNumber numberWithLongLong:[name longLongValue]] : (id)name;
}

// A classifier's outputs. Faults: another label, a label that is not a class, a missing class, a
// value of another type.
static MLFeatureValue* ClassValue(const DoubleTensor* output, DoubleFault fault) {
  if (fault == kFaultDType) {
    return [MLFeatureValue featureValueWithMultiArray:PaddedArray(output)];
  }
  if (output->kind == kDoubleLabel) {
    int32_t index;
    memcpy(&index, output->data, sizeof index);
    if (fault == kFaultWrong) index = (index + 1) % output->class_count;
    if (fault == kFaultShape) {
      return output->int_classes ? [MLFeatureValue featureValueWithInt64:INT64_MIN]
                                 : [MLFeatureValue featureValueWithString:@"no class of yours"];
    }
    id key = ClassKey(output, index);
    return output->int_classes ? [MLFeatureValue featureValueWithInt64:[key longLongValue]]
                               : [MLFeatureValue featureValueWithString:key];
  }
  const float* values = output->data;
  NSMutableDictionary* dictionary = [NSMutableDictionary dictionary];
  for (int i = fault == kFaultShape ? 1 : 0; i < output->class_count; ++i) {
    double value = values[i];
    if (fault == kFaultNan) value = __builtin_nan("");
    if (fault == kFaultInf) value = __builtin_inf();
    if (fault == kFaultWrong) value = 1 - value;
    [dictionary setObject:[NSNumber numberWithDouble:value] forKey:ClassKey(output, i)];
  }
  return [MLFeatureValue featureValueWithDictionary:dictionary error:NULL];
}

// Core ML refuses a backing of another shape or type.
static BOOL Fits(MLMultiArray* backing, const DoubleTensor* output) {
  if ([backing dataType] != output->data_type) return NO;
  const int rank = output->rank == 0 ? 1 : output->rank;
  if ((int)[[backing shape] count] != rank) return NO;
  for (int i = 0; i < output->rank; ++i) {
    if ([[[backing shape] objectAtIndex:(NSUInteger)i] longLongValue] != output->shape[i])
      return NO;
  }
  return YES;
}

- (id<MLFeatureProvider>)doublePredict:(id<MLFeatureProvider>)features
                                 state:(MLState*)state
                               options:(MLPredictionOptions*)options
                                 error:(NSError**)error {
  const DoubleFaultChoice fault = CoreMLDoubleNext(kDoublePredict);
  if (DoubleFails(fault, @"predicting", error)) return nil;
  if (fault.kind == kFaultBackings && [[options outputBackings] count] > 0) {
    if (error) *error = DoubleError(MLModelErrorGeneric, @"injected: no output backings here");
    return nil;
  }
  DoubleTensor inputs[kMaxFeatures], states[kMaxFeatures];
  NSMutableArray* keep = [NSMutableArray array];
  const DoubleTensor* described;
  const int input_count = DoubleModelFeatures(_model, kDoubleInputs, &described);
  for (int i = 0; i < input_count && i < kMaxFeatures; ++i) {
    MLFeatureValue* value =
        [features featureValueForName:[NSString stringWithUTF8String:described[i].name]];
    NSString* problem = TakeInput(&described[i], value, &inputs[i], keep);
    if (problem != nil) {
      if (error) *error = DoubleError(MLModelErrorFeatureType, problem);
      return nil;
    }
  }
  const int state_count = DoubleModelFeatures(_model, kDoubleStates, &described);
  if (state_count > 0 && state == nil) {
    if (error) *error = DoubleError(MLModelErrorFeatureType, @"the model needs a state");
    return nil;
  }
  for (int i = 0; i < state_count; ++i) {
    MLMultiArray* array = [state doubleArray:[NSString stringWithUTF8String:described[i].name]];
    NSMutableData* data = [NSMutableData
        dataWithLength:(NSUInteger)([array count] * DoubleElementSize([array dataType]))];
    CopyElements(array, [data mutableBytes], NO);
    states[i] = described[i];
    states[i].data = [data mutableBytes];
    [keep addObject:data];
  }
  const DoubleTensor* outputs;
  int output_count = 0;
  char message[512];
  if (!DoubleModelRun(_model, inputs, input_count, states, state_count, &outputs, &output_count,
                      message, sizeof message)) {
    if (error) {
      *error = DoubleError(MLModelErrorGeneric, [NSString stringWithUTF8String:message]);
    }
    return nil;
  }
  for (int i = 0; i < state_count; ++i) {
    CopyElements([state doubleArray:[NSString stringWithUTF8String:states[i].name]], states[i].data,
                 YES);
  }
  NSMutableDictionary* results = [NSMutableDictionary dictionary];
  int backed = 0;
  for (int i = 0; i < output_count; ++i) {
    NSString* name = [NSString stringWithUTF8String:outputs[i].name];
    if (fault.kind == kFaultMissing && i == output_count - 1) continue;
    if (outputs[i].pixel_format != 0) {
      CVPixelBufferRef image = ImageOf(&outputs[i]);
      [results setObject:[MLFeatureValue featureValueWithPixelBuffer:image] forKey:name];
      CVPixelBufferRelease(image);
      continue;
    }
    if (outputs[i].kind != kDoubleTensor) {
      [results setObject:ClassValue(&outputs[i], fault.kind) forKey:name];
      continue;
    }
    MLMultiArray* backing = [[options outputBackings] objectForKey:name];
    if (backing != nil && !Fits(backing, &outputs[i])) {
      if (error) {
        *error = DoubleError(MLModelErrorGeneric, @"an output backing does not fit its output");
      }
      return nil;
    }
    MLMultiArray* array = OutputArray(&outputs[i], backing, fault.kind);
    backed += array == backing;
    [results setObject:[MLFeatureValue featureValueWithMultiArray:array] forKey:name];
  }
  if (output_count > 0 && backed == output_count) CoreMLDoubleCountBacked();
  return [[[MLDictionaryFeatureProvider alloc] initWithDictionary:results error:error] autorelease];
}

- (id<MLFeatureProvider>)predictionFromFeatures:(id<MLFeatureProvider>)input
                                        options:(MLPredictionOptions*)options
                                          error:(NSError**)error {
  return [self doublePredict:input state:nil options:options error:error];
}
- (id<MLFeatureProvider>)predictionFromFeatures:(id<MLFeatureProvider>)inputFeatures
                                     usingState:(MLState*)state
                                        options:(MLPredictionOptions*)options
                                          error:(NSError**)error {
  return [self doublePredict:inputFeatures state:state options:options error:error];
}
@end
