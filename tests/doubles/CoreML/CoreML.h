// Test double of the Core ML classes that src/coreml uses, found by include path only when that
// backend is built without Apple's frameworks (GNUstep). The declarations are Apple's; the lint
// coreml_selectors checks them against Apple's published interface. double_control.h tells how to
// make it fail. Thread rules: as Core ML: a model serves one call at a time.
#pragma once

#import <CoreVideo/CVPixelBuffer.h>
#import <Foundation/Foundation.h>

#ifdef __cplusplus
extern "C" {
#endif
extern NSString* const MLModelErrorDomain;
#ifdef __cplusplus
}
#endif

typedef NS_ENUM(NSInteger, MLModelError) {
  MLModelErrorGeneric = 0,
  MLModelErrorFeatureType = 1,
  MLModelErrorIO = 3,
  MLModelErrorPredictionCancelled = 11
};
typedef NS_ENUM(NSInteger, MLMultiArrayDataType) {
  MLMultiArrayDataTypeDouble = 0x10000 | 64,
  MLMultiArrayDataTypeFloat32 = 0x10000 | 32,
  MLMultiArrayDataTypeFloat16 = 0x10000 | 16,
  MLMultiArrayDataTypeInt32 = 0x20000 | 32
};
typedef NS_ENUM(NSInteger, MLFeatureType) {
  MLFeatureTypeInvalid = 0,
  MLFeatureTypeInt64 = 1,
  MLFeatureTypeString = 3,
  MLFeatureTypeImage = 4,
  MLFeatureTypeMultiArray = 5,
  MLFeatureTypeDictionary = 6
};
typedef NS_ENUM(NSInteger, MLComputeUnits) {
  MLComputeUnitsCPUOnly = 0,
  MLComputeUnitsCPUAndGPU = 1,
  MLComputeUnitsAll = 2,
  MLComputeUnitsCPUAndNeuralEngine = 3
};
typedef NS_ENUM(NSInteger, MLReshapeFrequencyHint) {
  MLReshapeFrequencyHintFrequent = 0,
  MLReshapeFrequencyHintInfrequent = 1
};
typedef NS_ENUM(NSInteger, MLSpecializationStrategy) {
  MLSpecializationStrategyDefault = 0,
  MLSpecializationStrategyFastPrediction = 1
};

@class MLFeatureValue, MLMultiArray, MLModelConfiguration, MLPredictionOptions, MLState;
@class MLComputePlan, MLModelStructureProgramOperation, MLModelStructureProgram;

@protocol MLFeatureProvider <NSObject>
- (NSSet*)featureNames;
- (MLFeatureValue*)featureValueForName:(NSString*)featureName;
@end
@protocol MLComputeDeviceProtocol <NSObject>
@end

// Counts every object of the double between alloc and dealloc.
@interface DoubleObject : NSObject
@end

@interface MLOptimizationHints : DoubleObject <NSCopying> {
  MLReshapeFrequencyHint _reshapeFrequency;
  MLSpecializationStrategy _specializationStrategy;
}
@property(nonatomic, assign) MLReshapeFrequencyHint reshapeFrequency;
@property(nonatomic, assign) MLSpecializationStrategy specializationStrategy;
@end

@interface MLModelConfiguration : DoubleObject <NSCopying> {
  MLComputeUnits _computeUnits;
  MLOptimizationHints* _optimizationHints;
  NSString* _functionName;
}
@property(nonatomic, assign) MLComputeUnits computeUnits;
@property(nonatomic, copy) MLOptimizationHints* optimizationHints;
@property(nonatomic, copy) NSString* functionName;
@end

@interface MLMultiArray : DoubleObject {
  NSArray* _shape;
  NSArray* _strides;
  void* _bytes;
  NSInteger _count;
  NSInteger _size;
  MLMultiArrayDataType _dataType;
  BOOL _owned;
  void (^_deallocator)(void* bytes);
}
@property(readonly, nonatomic) MLMultiArrayDataType dataType;
@property(readonly, nonatomic) NSArray* shape;
@property(readonly, nonatomic) NSArray* strides;
@property(readonly, nonatomic) NSInteger count;
- (instancetype)initWithDataPointer:(void*)dataPointer
                              shape:(NSArray*)shape
                           dataType:(MLMultiArrayDataType)dataType
                            strides:(NSArray*)strides
                        deallocator:(void (^)(void* bytes))deallocator
                              error:(NSError**)error;
- (instancetype)initWithShape:(NSArray*)shape
                     dataType:(MLMultiArrayDataType)dataType
                        error:(NSError**)error;
- (instancetype)initWithShape:(NSArray*)shape
                     dataType:(MLMultiArrayDataType)dataType
                      strides:(NSArray*)strides;
- (void)getBytesWithHandler:(void (^)(const void* bytes, NSInteger size))handler;
- (void)getMutableBytesWithHandler:(void (^)(void* mutableBytes, NSInteger size,
                                             NSArray* strides))handler;
@end

@interface MLFeatureValue : DoubleObject {
  MLMultiArray* _multiArrayValue;
  CVPixelBufferRef _imageBufferValue;
  int64_t _int64Value;
  NSString* _stringValue;
  NSDictionary* _dictionaryValue;
  MLFeatureType _type;
}
@property(readonly, nonatomic) MLFeatureType type;
@property(readonly, nonatomic) MLMultiArray* multiArrayValue;
@property(readonly, nonatomic) CVPixelBufferRef imageBufferValue;
@property(readonly, nonatomic) int64_t int64Value;
@property(readonly, nonatomic) NSString* stringValue;
@property(readonly, nonatomic) NSDictionary* dictionaryValue;
+ (instancetype)featureValueWithMultiArray:(MLMultiArray*)value;
+ (instancetype)featureValueWithInt64:(int64_t)value;
+ (instancetype)featureValueWithString:(NSString*)value;
+ (instancetype)featureValueWithDictionary:(NSDictionary*)value error:(NSError**)error;
+ (instancetype)featureValueWithPixelBuffer:(CVPixelBufferRef)value;
@end

@interface MLDictionaryFeatureProvider : DoubleObject <MLFeatureProvider> {
  NSDictionary* _dictionary;
}
- (instancetype)initWithDictionary:(NSDictionary*)dictionary error:(NSError**)error;
@end

@interface MLPredictionOptions : DoubleObject {
  NSDictionary* _outputBackings;
}
@property(nonatomic, copy) NSDictionary* outputBackings;
@end

@interface MLState : DoubleObject {
  NSMutableDictionary* _arrays;
}
- (void)getMultiArrayForStateNamed:(NSString*)stateName
                           handler:(void (^)(MLMultiArray* buffer))handler;
@end

@interface MLModel : DoubleObject {
  void* _model;
  MLModelConfiguration* _configuration;
}
+ (NSURL*)compileModelAtURL:(NSURL*)modelURL error:(NSError**)error;
+ (instancetype)modelWithContentsOfURL:(NSURL*)url
                         configuration:(MLModelConfiguration*)configuration
                                 error:(NSError**)error;
- (id<MLFeatureProvider>)predictionFromFeatures:(id<MLFeatureProvider>)input
                                        options:(MLPredictionOptions*)options
                                          error:(NSError**)error;
- (MLState*)newState;
- (id<MLFeatureProvider>)predictionFromFeatures:(id<MLFeatureProvider>)inputFeatures
                                     usingState:(MLState*)state
                                        options:(MLPredictionOptions*)options
                                          error:(NSError**)error;
@end

@interface MLCPUComputeDevice : DoubleObject <MLComputeDeviceProtocol>
@end
@interface MLGPUComputeDevice : DoubleObject <MLComputeDeviceProtocol>
@end
@interface MLNeuralEngineComputeDevice : DoubleObject <MLComputeDeviceProtocol>
@end

@interface MLComputePlanDeviceUsage : DoubleObject {
  id<MLComputeDeviceProtocol> _preferredComputeDevice;
  NSArray* _supportedComputeDevices;
}
@property(readonly, nonatomic) NSArray* supportedComputeDevices;
@property(readonly, nonatomic) id<MLComputeDeviceProtocol> preferredComputeDevice;
@end

@interface MLComputePlanCost : DoubleObject {
  double _weight;
}
@property(readonly, nonatomic) double weight;
@end

@interface MLModelStructureProgramNamedValueType : DoubleObject {
  NSString* _name;
}
@property(readonly, nonatomic) NSString* name;
@end

@interface MLModelStructureProgramOperation : DoubleObject {
  NSString* _operatorName;
  NSArray* _outputs;
  NSArray* _blocks;
}
@property(readonly, nonatomic) NSString* operatorName;
@property(readonly, nonatomic) NSArray* outputs;
@property(readonly, nonatomic) NSArray* blocks;
@end

@interface MLModelStructureProgramBlock : DoubleObject {
  NSArray* _operations;
}
@property(readonly, nonatomic) NSArray* operations;
@end

@interface MLModelStructureProgramFunction : DoubleObject {
  MLModelStructureProgramBlock* _block;
}
@property(readonly, nonatomic) MLModelStructureProgramBlock* block;
@end

@interface MLModelStructureProgram : DoubleObject {
  NSDictionary* _functions;
}
@property(readonly, nonatomic) NSDictionary* functions;
@end

@interface MLModelStructure : DoubleObject {
  MLModelStructureProgram* _program;
}
@property(readonly, nonatomic) MLModelStructureProgram* program;
@end

@interface MLComputePlan : DoubleObject {
  MLModelStructure* _modelStructure;
  NSMutableDictionary* _usages;
  NSMutableDictionary* _costs;
}
@property(readonly, nonatomic) MLModelStructure* modelStructure;
+ (void)loadContentsOfURL:(NSURL*)url
            configuration:(MLModelConfiguration*)configuration
        completionHandler:(void (^)(MLComputePlan* computePlan, NSError* error))handler;
- (MLComputePlanDeviceUsage*)computeDeviceUsageForMLProgramOperation:
    (MLModelStructureProgramOperation*)operation;
- (MLComputePlanCost*)estimatedCostOfMLProgramOperation:
    (MLModelStructureProgramOperation*)operation;
@end
