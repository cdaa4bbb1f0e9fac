// Shared by the files of the double.
#pragma once

#import "CoreML/CoreML.h"
#include "CoreML/double_control.h"
#include "CoreML/double_executor.h"

NSError* DoubleError(NSInteger code, NSString* message);
// Bytes of one element; 0 for no known type.
NSInteger DoubleElementSize(MLMultiArrayDataType type);

// For a fault outside a call: YES when `*error` is set, or nothing is to be returned. Throws, and
// leaks, as the fault says.
BOOL DoubleFails(DoubleFaultChoice fault, NSString* what, NSError** error);

@interface MLMultiArray (Double)
- (void*)doubleBytes;
@end
@interface MLState (Double)
- (void)doubleAdd:(const DoubleTensor*)feature;
- (MLMultiArray*)doubleArray:(NSString*)name;
@end
