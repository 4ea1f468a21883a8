/* Which sanitizer watches this build, as either compiler says it, and what one of them is told. */
#pragma once

#include <stddef.h>

#if defined(__has_feature)
#define AX_SANITIZED_BY(feature) __has_feature(feature)
#else
#define AX_SANITIZED_BY(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || AX_SANITIZED_BY(address_sanitizer)
#define AX_ADDRESS_SANITIZED 1
#else
#define AX_ADDRESS_SANITIZED 0
#endif

#if defined(__SANITIZE_THREAD__) || AX_SANITIZED_BY(thread_sanitizer)
#define AX_THREAD_SANITIZED 1
#else
#define AX_THREAD_SANITIZED 0
#endif

#if AX_ADDRESS_SANITIZED
void __asan_poison_memory_region(const volatile void *at, size_t bytes);
void __asan_unpoison_memory_region(const volatile void *at, size_t bytes);
int __asan_address_is_poisoned(const volatile void *at);
#endif
