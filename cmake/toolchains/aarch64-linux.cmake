# Compiles for Linux on aarch64 on another machine: Debian's cross compiler, the libraries of an arm64 system unpacked in
# ANEMONE_SYSROOT, and QEMU to run what was built. `./dev arm` makes that folder and calls this.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES ANEMONE_SYSROOT)
set(CMAKE_SYSROOT ${ANEMONE_SYSROOT})
set(CMAKE_CROSSCOMPILING_EMULATOR qemu-aarch64-static -L ${ANEMONE_SYSROOT})

set(CMAKE_FIND_ROOT_PATH ${ANEMONE_SYSROOT})
set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)
# The compiler of protocol buffers runs here; its version is that of the library (both are Debian's).
find_program(Protobuf_PROTOC_EXECUTABLE protoc REQUIRED)
