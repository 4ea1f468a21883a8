/* Whether AddressSanitizer watches this build, as either compiler says it, and what it is told. */
#pragma once

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define AX_ADDRESS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define AX_ADDRESS_SANITIZED 1
#endif
#endif
#ifndef AX_ADDRESS_SANITIZED
#define AX_ADDRESS_SANITIZED 0
#endif

#if AX_ADDRESS_SANITIZED
void __asan_poison_memory_region(const volatile void *at, size_t bytes);
void __asan_unpoison_memory_region(const volatile void *at, size_t bytes);
int __asan_address_is_poisoned(const volatile void *at);
#endif
