// MLComputePlan of the double. Convolutions and matrix products prefer the Neural Engine, integer
// work and control flow the CPU, the rest the GPU, as far as the compute units allow: the double's
// own rule, which says nothing about Apple's. Constants have no device and no cost.
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#import "CoreML/double_internal.h"

@implementation MLCPUComputeDevice
@end
@implementation MLGPUComputeDevice
@end
@implementation MLNeuralEngineComputeDevice
@end

@implementation MLComputePlanDeviceUsage
@synthesize supportedComputeDevices = _supportedComputeDevices;
@synthesize preferredComputeDevice = _preferredComputeDevice;
- (id)initWithDevices:(NSArray*)devices {
  if ((self = [super init])) {
    _supportedComputeDevices = [devices copy];
    _preferredComputeDevice = [[devices objectAtIndex:0] retain];
  }
  return self;
}
- (void)dealloc {
  [_supportedComputeDevices release];
  [_preferredComputeDevice release];
  [super dealloc];
}
@end

@implementation MLComputePlanCost
@synthesize weight = _weight;
- (id)initWithWeight:(double)weight {
  if ((self = [super init])) _weight = weight;
  return self;
}
@end

@implementation MLModelStructureProgramNamedValueType
@synthesize name = _name;
- (id)initWithName:(const char*)name {
  if ((self = [super init])) _name = [[NSString alloc] initWithUTF8String:name];
  return self;
}
- (void)dealloc {
  [_name release];
  [super dealloc];
}
@end

@implementation MLModelStructureProgramBlock
@synthesize operations = _operations;
- (id)initWithOperations:(NSArray*)operations {
  if ((self = [super init])) _operations = [operations copy];
  return self;
}
- (void)dealloc {
  [_operations release];
  [super dealloc];
}
@end

static MLModelStructureProgramBlock* BlockOf(const DoubleBlock* block);

@implementation MLModelStructureProgramOperation
@synthesize operatorName = _operatorName;
@synthesize outputs = _outputs;
@synthesize blocks = _blocks;
- (id)initWithOperation:(const DoubleOperation*)operation {
  if (!(self = [super init])) return nil;
  _operatorName = [[NSString alloc] initWithUTF8String:operation->type];
  NSMutableArray* outputs = [NSMutableArray array];
  for (int i = 0; i < operation->output_count; ++i) {
    [outputs addObject:[[[MLModelStructureProgramNamedValueType alloc]
                           initWithName:operation->outputs[i]] autorelease]];
  }
  _outputs = [outputs copy];
  NSMutableArray* blocks = [NSMutableArray array];
  for (int i = 0; i < operation->block_count; ++i)
    [blocks addObject:BlockOf(&operation->blocks[i])];
  _blocks = [blocks copy];
  return self;
}
- (void)dealloc {
  [_operatorName release];
  [_outputs release];
  [_blocks release];
  [super dealloc];
}
@end

static MLModelStructureProgramBlock* BlockOf(const DoubleBlock* block) {
  NSMutableArray* operations = [NSMutableArray array];
  for (int i = 0; i < block->count; ++i) {
    [operations addObject:[[[MLModelStructureProgramOperation alloc]
                              initWithOperation:&block->operations[i]] autorelease]];
  }
  return [[[MLModelStructureProgramBlock alloc] initWithOperations:operations] autorelease];
}

@implementation MLModelStructureProgramFunction
@synthesize block = _block;
- (id)initWithBlock:(MLModelStructureProgramBlock*)block {
  if ((self = [super init])) _block = [block retain];
  return self;
}
- (void)dealloc {
  [_block release];
  [super dealloc];
}
@end

@implementation MLModelStructureProgram
@synthesize functions = _functions;
- (id)initWithFunctions:(NSDictionary*)functions {
  if ((self = [super init])) _functions = [functions copy];
  return self;
}
- (void)dealloc {
  [_functions release];
  [super dealloc];
}
@end

@implementation MLModelStructure
@synthesize program = _program;
- (id)initWithProgram:(MLModelStructureProgram*)program {
  if ((self = [super init])) _program = [program retain];
  return self;
}
- (void)dealloc {
  [_program release];
  [super dealloc];
}
@end

static BOOL Ends(NSString* name, const char* const* suffixes) {
  for (; *suffixes != NULL; ++suffixes) {
    if ([name hasSuffix:[NSString stringWithUTF8String:*suffixes]]) return YES;
  }
  return NO;
}

static NSArray* DevicesFor(NSString* name, MLComputeUnits units) {
  static const char* const kEngine[] = {".conv", ".linear", ".matmul", ".relu", "_pool", NULL};
  static const char* const kCpu[] = {".cond", ".while_loop", ".gather", ".non_zero", NULL};
  const BOOL engine = units == MLComputeUnitsAll || units == MLComputeUnitsCPUAndNeuralEngine;
  const BOOL gpu = units == MLComputeUnitsAll || units == MLComputeUnitsCPUAndGPU;
  NSMutableArray* devices = [NSMutableArray array];
  if (engine && Ends(name, kEngine)) {
    [devices addObject:[[[MLNeuralEngineComputeDevice alloc] init] autorelease]];
  }
  if (gpu && !Ends(name, kCpu)) {
    [devices addObject:[[[MLGPUComputeDevice alloc] init] autorelease]];
  }
  [devices addObject:[[[MLCPUComputeDevice alloc] init] autorelease]];
  return devices;
}

typedef struct {
  NSURL* url;
  MLModelConfiguration* configuration;
  void (^handler)(MLComputePlan* plan, NSError* error);
} PlanRequest;

@interface MLComputePlan (Double)
+ (MLComputePlan*)doublePlan:(PlanRequest*)request error:(NSError**)error;
@end

// The handler is called on its own thread, as in Core ML.
static void* Answer(void* argument) {
  PlanRequest* request = argument;
  @autoreleasepool {
    NSError* error = nil;
    MLComputePlan* plan = [MLComputePlan doublePlan:request error:&error];
    request->handler(plan, error);
  }
  [request->url release];
  [request->configuration release];
  Block_release(request->handler);
  free(request);
  return NULL;
}

@implementation MLComputePlan
@synthesize modelStructure = _modelStructure;
- (id)init {
  if ((self = [super init])) {
    _usages = [[NSMutableDictionary alloc] init];
    _costs = [[NSMutableDictionary alloc] init];
  }
  return self;
}
- (void)dealloc {
  [_modelStructure release];
  [_usages release];
  [_costs release];
  [super dealloc];
}

+ (void)loadContentsOfURL:(NSURL*)url
            configuration:(MLModelConfiguration*)configuration
        completionHandler:(void (^)(MLComputePlan* computePlan, NSError* error))handler {
  PlanRequest* request = calloc(1, sizeof *request);
  request->url = [url retain];
  request->configuration = [configuration copy];
  request->handler = Block_copy(handler);
  pthread_t thread;
  pthread_create(&thread, NULL, Answer, request);
  pthread_detach(thread);
}

static NSValue* KeyOf(id operation) { return [NSValue valueWithNonretainedObject:operation]; }

- (void)doubleFill:(MLModelStructureProgramBlock*)block
             units:(MLComputeUnits)units
            counts:(NSInteger*)count {
  NSEnumerator* operations = [block.operations objectEnumerator];
  MLModelStructureProgramOperation* operation;
  while ((operation = [operations nextObject])) {
    NSEnumerator* blocks = [operation.blocks objectEnumerator];
    MLModelStructureProgramBlock* inner;
    while ((inner = [blocks nextObject])) [self doubleFill:inner units:units counts:count];
    if ([operation.operatorName isEqualToString:@"const"]) continue;
    ++*count;
    MLComputePlanDeviceUsage* usage = [[[MLComputePlanDeviceUsage alloc]
        initWithDevices:DevicesFor(operation.operatorName, units)] autorelease];
    [_usages setObject:usage forKey:KeyOf(operation)];
  }
}

+ (MLComputePlan*)doublePlan:(PlanRequest*)request error:(NSError**)error {
  const DoubleFaultChoice fault = CoreMLDoubleNext(kDoublePlan);
  if (fault.kind == kFaultHang) {
    for (;;) pause();
  }
  if (fault.kind != kFaultNil && fault.kind != kFaultThrow &&
      DoubleFails(fault, @"planning", error)) {
    return nil;
  }
  NSString* path = [request->url path];
  // As Core ML does when it is asked about a package.
  if (![path hasSuffix:@".mlmodelc"]) abort();
  NSString* kind =
      [NSString stringWithContentsOfFile:[path stringByAppendingPathComponent:@"coremldata.bin"]
                                encoding:NSUTF8StringEncoding
                                   error:NULL];
  NSString* inner = [path
      stringByAppendingPathComponent:[@"double." stringByAppendingString:kind ? kind : @"none"]];
  char message[512];
  DoubleModel* model =
      DoubleModelOpen([inner fileSystemRepresentation], NULL, message, sizeof message);
  if (model == NULL) {
    if (error) *error = DoubleError(MLModelErrorIO, [NSString stringWithUTF8String:message]);
    return nil;
  }
  MLComputePlan* plan = [[[self alloc] init] autorelease];
  NSMutableDictionary* functions = [NSMutableDictionary dictionary];
  const DoubleFunction* list;
  const int count = DoubleModelFunctions(model, &list);
  for (int i = 0; i < count; ++i) {
    MLModelStructureProgramFunction* function = [[[MLModelStructureProgramFunction alloc]
        initWithBlock:BlockOf(&list[i].block)] autorelease];
    [functions setObject:function forKey:[NSString stringWithUTF8String:list[i].name]];
    NSInteger operations = 0;
    if (fault.kind == kFaultNil) continue;  // no device for any operation
    [plan doubleFill:function.block units:request->configuration.computeUnits counts:&operations];
    NSEnumerator* keys = [plan->_usages keyEnumerator];
    NSValue* key;
    while ((key = [keys nextObject])) {
      MLComputePlanCost* cost =
          [[[MLComputePlanCost alloc] initWithWeight:1.0 / (double)operations] autorelease];
      if ([plan->_costs objectForKey:key] == nil) [plan->_costs setObject:cost forKey:key];
    }
  }
  MLModelStructureProgram* program =
      [[[MLModelStructureProgram alloc] initWithFunctions:functions] autorelease];
  plan->_modelStructure = [[MLModelStructure alloc] initWithProgram:program];
  DoubleModelClose(model);
  return plan;
}

- (MLComputePlanDeviceUsage*)computeDeviceUsageForMLProgramOperation:
    (MLModelStructureProgramOperation*)operation {
  return [_usages objectForKey:KeyOf(operation)];
}
- (MLComputePlanCost*)estimatedCostOfMLProgramOperation:
    (MLModelStructureProgramOperation*)operation {
  return [_costs objectForKey:KeyOf(operation)];
}
@end
