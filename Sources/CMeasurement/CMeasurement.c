#include "CMeasurement.h"

#include <errno.h>
#include <malloc.h>

#if defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
#define HAS_OTHER_ALLOCATOR 1
#endif
#endif

#ifdef HAS_OTHER_ALLOCATOR

int64_t cmeasurement_allocations(void) { return -1; }

#else

static _Thread_local int64_t allocations;

int64_t cmeasurement_allocations(void) { return allocations; }

// The allocator of glibc under its other names.
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);

void *malloc(size_t count) {
    allocations++;
    return __libc_malloc(count);
}

void *calloc(size_t items, size_t count) {
    allocations++;
    return __libc_calloc(items, count);
}

void *realloc(void *block, size_t count) {
    allocations++;
    return __libc_realloc(block, count);
}

void *memalign(size_t alignment, size_t count) {
    allocations++;
    return __libc_memalign(alignment, count);
}

void *aligned_alloc(size_t alignment, size_t count) { return memalign(alignment, count); }

int posix_memalign(void **block, size_t alignment, size_t count) {
    void *made = memalign(alignment, count);
    if (!made)
        return ENOMEM;
    *block = made;
    return 0;
}

#endif

size_t cmeasurement_heap_byte_count(void) {
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

__attribute__((noinline)) void cmeasurement_begin(void) { __asm__ volatile(""); }
__attribute__((noinline)) void cmeasurement_end(void) { __asm__ volatile(""); }
