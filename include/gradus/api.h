/*
 * What every header of Gradus needs: visibility of symbols, linkage from C++, checks of format strings; where texts
 * go.
 */
#ifndef GRADUS_API_H
#define GRADUS_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GRADUS_VERSION_MAJOR 0
#define GRADUS_VERSION_MINOR 1
#define GRADUS_VERSION_PATCH 0

#ifdef __cplusplus
#    define GR_BEGIN_DECLS extern "C" {
#    define GR_END_DECLS   }
#else
#    define GR_BEGIN_DECLS
#    define GR_END_DECLS
#endif

#if defined(__GNUC__)
#    define GR_API                  __attribute__((visibility("default")))
#    define GR_PRINTF(which, first) __attribute__((format(__printf__, which, first)))
#else
#    define GR_API
#    define GR_PRINTF(which, first)
#endif

/* Receives a piece of a text that Gradus writes, not ended by a zero byte. Returns false if it could not take it: the
   call then stops with GR_ERR_IO. It must not touch the graph. */
typedef bool gr_writer(const char *text, size_t length, void *user);

#endif
