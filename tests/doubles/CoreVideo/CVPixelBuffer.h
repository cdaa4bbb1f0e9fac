// Test double of the part of Core Video that the Core ML backend uses. Rows are padded, as on a
// Mac, so that code that ignores the bytes per row fails. Thread rules: as Core Video; reference
// counts are atomic.
#pragma once

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct __CVBuffer* CVPixelBufferRef;
typedef int32_t CVReturn;
typedef uint32_t OSType;
typedef uint64_t CVPixelBufferLockFlags;
typedef uint64_t CVOptionFlags;
typedef const struct __CFAllocator* CFAllocatorRef;
typedef const struct __CFDictionary* CFDictionaryRef;

enum { kCVReturnSuccess = 0, kCVReturnError = -6660, kCVReturnInvalidPixelFormat = -6680 };
enum { kCVPixelBufferLock_ReadOnly = 0x00000001 };
enum {
  kCVPixelFormatType_32BGRA = 0x42475241,             // 'BGRA'
  kCVPixelFormatType_OneComponent8 = 0x4C303038,      // 'L008'
  kCVPixelFormatType_OneComponent16Half = 0x4C303068  // 'L00h'
};

CVReturn CVPixelBufferCreate(CFAllocatorRef allocator, size_t width, size_t height,
                             OSType pixelFormatType, CFDictionaryRef pixelBufferAttributes,
                             CVPixelBufferRef* pixelBufferOut);
CVPixelBufferRef CVPixelBufferRetain(CVPixelBufferRef texture);
void CVPixelBufferRelease(CVPixelBufferRef texture);
CVReturn CVPixelBufferLockBaseAddress(CVPixelBufferRef pixelBuffer,
                                      CVPixelBufferLockFlags lockFlags);
CVReturn CVPixelBufferUnlockBaseAddress(CVPixelBufferRef pixelBuffer,
                                        CVPixelBufferLockFlags unlockFlags);
size_t CVPixelBufferGetWidth(CVPixelBufferRef pixelBuffer);
size_t CVPixelBufferGetHeight(CVPixelBufferRef pixelBuffer);
OSType CVPixelBufferGetPixelFormatType(CVPixelBufferRef pixelBuffer);
void* CVPixelBufferGetBaseAddress(CVPixelBufferRef pixelBuffer);
size_t CVPixelBufferGetBytesPerRow(CVPixelBufferRef pixelBuffer);

#ifdef __cplusplus
}
#endif
