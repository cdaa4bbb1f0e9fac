// Arrays, feature values, providers, options and pixel buffers of the double.
#include <stdlib.h>
#include <string.h>

#import "CoreML/double_internal.h"

NSString* const MLModelErrorDomain = @"com.apple.CoreML";

NSError* DoubleError(NSInteger code, NSString* message) {
  NSDictionary* info = [NSDictionary dictionaryWithObject:message forKey:NSLocalizedDescriptionKey];
  return [NSError errorWithDomain:MLModelErrorDomain code:code userInfo:info];
}

NSInteger DoubleElementSize(MLMultiArrayDataType type) { return (type & 0xFF) / 8; }

@implementation DoubleObject
+ (id)allocWithZone:(NSZone*)zone {
  CoreMLDoubleCount(1);
  return [super allocWithZone:zone];
}
- (void)dealloc {
  CoreMLDoubleCount(-1);
  [super dealloc];
}
@end

@implementation MLOptimizationHints
@synthesize reshapeFrequency = _reshapeFrequency;
@synthesize specializationStrategy = _specializationStrategy;
- (id)copyWithZone:(NSZone*)zone {
  MLOptimizationHints* copy = [[MLOptimizationHints allocWithZone:zone] init];
  copy.reshapeFrequency = _reshapeFrequency;
  copy.specializationStrategy = _specializationStrategy;
  return copy;
}
@end

@implementation MLModelConfiguration
@synthesize computeUnits = _computeUnits;
@synthesize optimizationHints = _optimizationHints;
@synthesize functionName = _functionName;
- (id)init {
  if ((self = [super init])) {
    _computeUnits = MLComputeUnitsAll;
    _optimizationHints = [[MLOptimizationHints alloc] init];
  }
  return self;
}
- (id)copyWithZone:(NSZone*)zone {
  MLModelConfiguration* copy = [[MLModelConfiguration allocWithZone:zone] init];
  copy.computeUnits = _computeUnits;
  copy.optimizationHints = _optimizationHints;
  copy.functionName = _functionName;
  return copy;
}
- (void)dealloc {
  [_optimizationHints release];
  [_functionName release];
  [super dealloc];
}
@end

@implementation MLMultiArray
@synthesize dataType = _dataType;
@synthesize shape = _shape;
@synthesize strides = _strides;
@synthesize count = _count;

// Elements from the first to the last, gaps included; -1 when shape and strides do not make sense.
static NSInteger Extent(NSArray* shape, NSArray* strides, NSInteger* count) {
  if ([shape count] == 0 || [shape count] != [strides count]) return -1;
  NSInteger last = 0;
  *count = 1;
  for (NSUInteger i = 0; i < [shape count]; ++i) {
    const NSInteger size = [[shape objectAtIndex:i] integerValue];
    const NSInteger stride = [[strides objectAtIndex:i] integerValue];
    if (size <= 0 || stride < 0) return -1;
    last += (size - 1) * stride;
    *count *= size;
  }
  return last + 1;
}

- (instancetype)initWithDataPointer:(void*)dataPointer
                              shape:(NSArray*)shape
                           dataType:(MLMultiArrayDataType)dataType
                            strides:(NSArray*)strides
                        deallocator:(void (^)(void* bytes))deallocator
                              error:(NSError**)error {
  if (!(self = [super init])) return nil;
  const NSInteger extent = Extent(shape, strides, &_count);
  if (extent < 0 || dataPointer == NULL || DoubleElementSize(dataType) == 0) {
    if (error) *error = DoubleError(MLModelErrorGeneric, @"not a valid multi-array");
    [self release];
    return nil;
  }
  _bytes = dataPointer;
  _shape = [shape copy];
  _strides = [strides copy];
  _dataType = dataType;
  _size = extent * DoubleElementSize(dataType);
  if (deallocator != NULL) _deallocator = Block_copy(deallocator);
  return self;
}

- (instancetype)initWithShape:(NSArray*)shape
                     dataType:(MLMultiArrayDataType)dataType
                      strides:(NSArray*)strides {
  NSInteger count = 0;
  const NSInteger extent = Extent(shape, strides, &count);
  void* bytes = extent < 0 ? NULL : calloc((size_t)extent, (size_t)DoubleElementSize(dataType));
  self = [self initWithDataPointer:bytes
                             shape:shape
                          dataType:dataType
                           strides:strides
                       deallocator:NULL
                             error:NULL];
  if (self) {
    _owned = YES;
  } else {
    free(bytes);
  }
  return self;
}

- (instancetype)initWithShape:(NSArray*)shape
                     dataType:(MLMultiArrayDataType)dataType
                        error:(NSError**)error {
  NSMutableArray* strides = [NSMutableArray array];
  NSInteger stride = 1;
  for (NSUInteger i = [shape count]; i > 0; --i) {
    [strides insertObject:[NSNumber numberWithInteger:stride] atIndex:0];
    stride *= [[shape objectAtIndex:i - 1] integerValue];
  }
  self = [self initWithShape:shape dataType:dataType strides:strides];
  if (!self && error) *error = DoubleError(MLModelErrorGeneric, @"not a valid multi-array");
  return self;
}

- (void)dealloc {
  if (_owned) free(_bytes);
  if (_deallocator != NULL) {
    _deallocator(_bytes);
    Block_release(_deallocator);
  }
  [_shape release];
  [_strides release];
  [super dealloc];
}
- (void)getBytesWithHandler:(void (^)(const void* bytes, NSInteger size))handler {
  handler(_bytes, _size);
}
- (void)getMutableBytesWithHandler:(void (^)(void* mutableBytes, NSInteger size,
                                             NSArray* strides))handler {
  handler(_bytes, _size, _strides);
}
- (void*)doubleBytes {
  return _bytes;
}
@end

@implementation MLFeatureValue
+ (instancetype)featureValueWithMultiArray:(MLMultiArray*)value {
  if (value == nil) [NSException raise:NSInvalidArgumentException format:@"nil multi-array"];
  MLFeatureValue* feature = [[[self alloc] init] autorelease];
  feature->_multiArrayValue = [value retain];
  feature->_type = MLFeatureTypeMultiArray;
  return feature;
}
+ (instancetype)featureValueWithPixelBuffer:(CVPixelBufferRef)value {
  if (value == NULL) [NSException raise:NSInvalidArgumentException format:@"nil pixel buffer"];
  MLFeatureValue* feature = [[[self alloc] init] autorelease];
  feature->_imageBufferValue = CVPixelBufferRetain(value);
  feature->_type = MLFeatureTypeImage;
  return feature;
}
+ (instancetype)featureValueWithInt64:(int64_t)value {
  MLFeatureValue* feature = [[[self alloc] init] autorelease];
  feature->_int64Value = value;
  feature->_type = MLFeatureTypeInt64;
  return feature;
}
+ (instancetype)featureValueWithString:(NSString*)value {
  MLFeatureValue* feature = [[[self alloc] init] autorelease];
  feature->_stringValue = [value copy];
  feature->_type = MLFeatureTypeString;
  return feature;
}
+ (instancetype)featureValueWithDictionary:(NSDictionary*)value error:(NSError**)error {
  NSEnumerator* keys = [value keyEnumerator];
  id key;
  while ((key = [keys nextObject])) {
    const BOOL fits = [key isKindOfClass:[NSString class]] || [key isKindOfClass:[NSNumber class]];
    if (fits && [[value objectForKey:key] isKindOfClass:[NSNumber class]]) continue;
    if (error) *error = DoubleError(MLModelErrorFeatureType, @"not a dictionary of numbers");
    return nil;
  }
  MLFeatureValue* feature = [[[self alloc] init] autorelease];
  feature->_dictionaryValue = [value copy];
  feature->_type = MLFeatureTypeDictionary;
  return feature;
}
@synthesize type = _type;
@synthesize int64Value = _int64Value;
- (void)dealloc {
  [_multiArrayValue release];
  [_stringValue release];
  [_dictionaryValue release];
  if (_imageBufferValue != NULL) CVPixelBufferRelease(_imageBufferValue);
  [super dealloc];
}
// As Apple's: autoreleased, so that a caller without a pool is seen to leak.
- (MLMultiArray*)multiArrayValue {
  return [[_multiArrayValue retain] autorelease];
}
- (NSString*)stringValue {
  return [[_stringValue retain] autorelease];
}
- (NSDictionary*)dictionaryValue {
  return [[_dictionaryValue retain] autorelease];
}
- (CVPixelBufferRef)imageBufferValue {
  return _imageBufferValue;
}
@end

@implementation MLDictionaryFeatureProvider
- (instancetype)initWithDictionary:(NSDictionary*)dictionary error:(NSError**)error {
  if (!(self = [super init])) return nil;
  NSEnumerator* values = [dictionary objectEnumerator];
  id value;
  while ((value = [values nextObject])) {
    if ([value isKindOfClass:[MLFeatureValue class]]) continue;
    if (error) *error = DoubleError(MLModelErrorFeatureType, @"not a feature value");
    [self release];
    return nil;
  }
  _dictionary = [dictionary copy];
  return self;
}
- (void)dealloc {
  [_dictionary release];
  [super dealloc];
}
- (NSSet*)featureNames {
  return [NSSet setWithArray:[_dictionary allKeys]];
}
- (MLFeatureValue*)featureValueForName:(NSString*)featureName {
  return [[[_dictionary objectForKey:featureName] retain] autorelease];
}
@end

@implementation MLPredictionOptions
@synthesize outputBackings = _outputBackings;
- (id)init {
  if ((self = [super init])) _outputBackings = [[NSDictionary alloc] init];
  return self;
}
- (void)dealloc {
  [_outputBackings release];
  [super dealloc];
}
@end

struct __CVBuffer {
  int64_t references;
  size_t width, height, bytes_per_row;
  OSType format;
  int locks;
  unsigned char* bytes;
};

CVReturn CVPixelBufferCreate(CFAllocatorRef allocator, size_t width, size_t height,
                             OSType pixelFormatType, CFDictionaryRef pixelBufferAttributes,
                             CVPixelBufferRef* pixelBufferOut) {
  (void)allocator, (void)pixelBufferAttributes;
  size_t pixel = 0;
  if (pixelFormatType == kCVPixelFormatType_32BGRA) pixel = 4;
  if (pixelFormatType == kCVPixelFormatType_OneComponent8) pixel = 1;
  if (pixelFormatType == kCVPixelFormatType_OneComponent16Half) pixel = 2;
  if (pixel == 0) return kCVReturnInvalidPixelFormat;
  if (width == 0 || height == 0) return kCVReturnError;
  CVPixelBufferRef buffer = calloc(1, sizeof *buffer);
  buffer->references = 1;
  buffer->width = width;
  buffer->height = height;
  buffer->format = pixelFormatType;
  buffer->bytes_per_row = (width * pixel + 64) / 64 * 64;  // never tight
  buffer->bytes = malloc(buffer->bytes_per_row * height);
  memset(buffer->bytes, 0xA5, buffer->bytes_per_row * height);
  CoreMLDoubleCount(1);
  *pixelBufferOut = buffer;
  return kCVReturnSuccess;
}
CVPixelBufferRef CVPixelBufferRetain(CVPixelBufferRef texture) {
  __atomic_fetch_add(&texture->references, 1, __ATOMIC_RELAXED);
  return texture;
}
void CVPixelBufferRelease(CVPixelBufferRef texture) {
  if (texture == NULL || __atomic_sub_fetch(&texture->references, 1, __ATOMIC_ACQ_REL) > 0) return;
  CoreMLDoubleCount(-1);
  free(texture->bytes);
  free(texture);
}
CVReturn CVPixelBufferLockBaseAddress(CVPixelBufferRef pixelBuffer,
                                      CVPixelBufferLockFlags lockFlags) {
  (void)lockFlags;
  ++pixelBuffer->locks;
  return kCVReturnSuccess;
}
CVReturn CVPixelBufferUnlockBaseAddress(CVPixelBufferRef pixelBuffer,
                                        CVPixelBufferLockFlags unlockFlags) {
  (void)unlockFlags;
  if (pixelBuffer->locks == 0) return kCVReturnError;
  --pixelBuffer->locks;
  return kCVReturnSuccess;
}
size_t CVPixelBufferGetWidth(CVPixelBufferRef pixelBuffer) { return pixelBuffer->width; }
size_t CVPixelBufferGetHeight(CVPixelBufferRef pixelBuffer) { return pixelBuffer->height; }
OSType CVPixelBufferGetPixelFormatType(CVPixelBufferRef pixelBuffer) { return pixelBuffer->format; }
// No address without a lock, as on a Mac.
void* CVPixelBufferGetBaseAddress(CVPixelBufferRef pixelBuffer) {
  return pixelBuffer->locks > 0 ? pixelBuffer->bytes : NULL;
}
size_t CVPixelBufferGetBytesPerRow(CVPixelBufferRef pixelBuffer) {
  return pixelBuffer->bytes_per_row;
}
