// What benchmarks and tests count. Whoever links this has its malloc counted: not for the programs.
#ifndef CMEASUREMENT_H
#define CMEASUREMENT_H

#include <stddef.h>
#include <stdint.h>

/// Blocks that this thread has asked for, by malloc, calloc, realloc and the aligned kinds; -1 where a
/// sanitizer has its own allocator and nothing is counted.
int64_t cmeasurement_allocations(void);
/// Bytes of the heap in use by the whole process.
size_t cmeasurement_heap_byte_count(void);

/// Do nothing. Callgrind starts to count at one and reports at the other.
void cmeasurement_begin(void);
void cmeasurement_end(void);

#endif
