#include "coreml/objc_guard.h"

#import <Foundation/Foundation.h>
#include <string.h>

static void Keep(NSString* text, char* out, size_t size) {
  const char* utf8 = text != nil ? [text UTF8String] : NULL;
  if (utf8 == NULL) utf8 = "";
  size_t length = strlen(utf8);
  if (length >= size) length = size - 1;
  memcpy(out, utf8, length);
  out[length] = '\0';
}

int AnemoneObjcGuard(void (*body)(void*), void* context, char* name, size_t name_size, char* reason,
                     size_t reason_size) {
  @try {
    body(context);
    return 1;
  } @catch (NSException* exception) {
    Keep([exception name], name, name_size);
    Keep([exception reason], reason, reason_size);
  } @catch (...) {
    Keep(@"foreign exception", name, name_size);
    Keep(@"thrown inside Core ML", reason, reason_size);
  }
  return 0;
}
