/*
 * A small thread pool. gri_threads_run(pool, n, fn, arg) calls fn(arg, i) once for each task
 * i in [0, n), on the calling thread and the pool's, and returns when all are done. Which thread runs
 * which task is unspecified, so tasks write to places of their own; results then do not depend on the
 * number of threads.
 */
#ifndef GRI_BASE_THREADS_H
#define GRI_BASE_THREADS_H

#include <stdint.h>
#include "base/memory.h"

typedef struct gri_threads gri_threads;
typedef void gri_task(void *arg, int64_t index);

/* A pool of `count` threads, the caller's among them; threads are started at the first run that needs
   them. NULL if memory runs out. */
gri_threads *gri_threads_create(gri_memory *memory, int count);
void gri_threads_destroy(gri_threads *pool);

/* The number of threads that run tasks: 1 for a NULL pool. */
int gri_threads_count(const gri_threads *pool);

/* Never fails: where the system refuses a thread, the tasks run on those that there are. A task must not
   call gri_threads_run on the same pool. */
void gri_threads_run(gri_threads *pool, int64_t n, gri_task *fn, void *arg);

/* The number of processors that this process may use; at least 1. */
int gri_processors(void);

#endif
