/*
 * The thread pool: every task exactly once, however many threads, tasks and runs.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/resource.h>
#include "base/cpu.h"
#include "base/threads.h"
#include "test.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define SANITIZED
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define SANITIZED
#    endif
#endif

enum { MOST_TASKS = 2000 };

static gri_memory memory;

/* Not atomic on purpose: a thread sanitizer reports a task that two threads run, or a run that ends early. */
static int times_run[MOST_TASKS];

static void count_task(void *arg, int64_t index) { times_run[index] += *(const int *)arg; }

static void check_run(gri_threads *pool, int64_t n)
{
    const int once = 1;
    int64_t wrong = 0;
    memset(times_run, 0, sizeof times_run);
    gri_threads_run(pool, n, count_task, (void *)(uintptr_t)&once);
    for (int64_t i = 0; i < MOST_TASKS; i++) wrong += times_run[i] != (i < n);
    CHECK(wrong == 0);
}

static void check_runs(gri_threads *pool)
{
    static const int64_t sizes[] = {0, 1, 2, 3, 7, 64, MOST_TASKS};
    for (int repeat = 0; repeat < 20; repeat++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) check_run(pool, sizes[i]);
}

static void test_no_pool(void)
{
    CHECK(gri_threads_count(NULL) == 1);
    check_runs(NULL);
    gri_threads_destroy(NULL);
}

static void test_each_task_once(void)
{
    static const int counts[] = {-1, 0, 1, 2, 3, 5, 16};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        gri_threads *pool = gri_threads_create(&memory, counts[i]);
        CHECK(pool != NULL);
        CHECK(gri_threads_count(pool) == (counts[i] < 1 ? 1 : counts[i]));
        check_runs(pool);
        gri_threads_destroy(pool);
    }
    CHECK(memory.used == 0);
}

static void test_unused_pool(void)
{
    gri_threads *pool = gri_threads_create(&memory, 4);
    CHECK(pool != NULL);
    gri_threads_destroy(pool);
    CHECK(memory.used == 0);
}

/* Short runs one after the other, with pauses in which workers fall asleep. */
static void test_many_runs(void)
{
    gri_threads *pool = gri_threads_create(&memory, 3);
    const int once = 1;
    memset(times_run, 0, sizeof times_run);
    for (int run = 0; run < 20000; run++) {
        gri_threads_run(pool, 2 + run % 5, count_task, (void *)(uintptr_t)&once);
        if (run % 100 == 0)
            for (volatile int i = 0; i < 200000; i++) {}
    }
    CHECK(times_run[0] == 20000 && times_run[1] == 20000 && times_run[5] == 4000);
    gri_threads_destroy(pool);
}

static void *refuse(size_t bytes, void *user)
{
    int *left = user;
    return (*left)-- > 0 ? aligned_alloc(64, bytes) : NULL;
}

static void release(void *block, size_t bytes, void *user)
{
    (void)bytes;
    (void)user;
    free(block);
}

static void test_no_memory(void)
{
    for (int allowed = 0; allowed < 2; allowed++) {
        int left = allowed;
        const gr_allocator allocator = {refuse, release, &left};
        gri_memory small;
        gri_memory_init(&small, &allocator, SIZE_MAX);
        CHECK(gri_threads_create(&small, 3) == NULL);
        CHECK(small.used == 0);
        gri_memory_trim(&small);
    }
}

#ifndef SANITIZED
/* The system has no memory for a thread's stack: the caller runs all tasks. No sanitizer survives that. */
static void test_no_threads(void)
{
    struct rlimit before, none;
    gri_threads *pool = gri_threads_create(&memory, 4);
    if (getrlimit(RLIMIT_AS, &before) != 0) return;
    none = before;
    none.rlim_cur = 1;
    if (setrlimit(RLIMIT_AS, &none) != 0) return;
    check_run(pool, MOST_TASKS);
    CHECK(setrlimit(RLIMIT_AS, &before) == 0);
    check_runs(pool);
    gri_threads_destroy(pool);
}
#endif

/* Signals are for the caller's threads: workers block them, and the caller's own mask is as it was. */
static pthread_t caller;
static atomic_int on_workers, blocked_on_workers;

static bool blocks_signals(void)
{
    sigset_t now;
    return pthread_sigmask(SIG_BLOCK, NULL, &now) == 0 && sigismember(&now, SIGUSR1) == 1;
}

/* The caller waits until a worker has come, however busy the machine is; there are tasks left for it. */
static void look_at_mask(void *arg, int64_t index)
{
    const int *wanted = arg;
    (void)index;
    if (pthread_equal(pthread_self(), caller)) {
        for (int i = 0; i < 10000000 && atomic_load(&on_workers) < *wanted; i++) sched_yield();
        return;
    }
    atomic_fetch_add(&on_workers, 1);
    if (blocks_signals()) atomic_fetch_add(&blocked_on_workers, 1);
}

static void test_signals(void)
{
    gri_threads *pool = gri_threads_create(&memory, 3);
    caller = pthread_self();
    CHECK(!blocks_signals());
    for (int run = 1; run <= 20; run++) gri_threads_run(pool, 50, look_at_mask, &run);
    CHECK(!blocks_signals());
    CHECK(atomic_load(&on_workers) >= 20 && atomic_load(&on_workers) == atomic_load(&blocked_on_workers));
    gri_threads_destroy(pool);
}

static void test_processors(void) { CHECK(gri_processors() >= 1); }

static void test_isa(void)
{
    CHECK(gri_isa_available(GRI_ISA_PORTABLE));
    CHECK(!gri_isa_available(GRI_ISA_COUNT));
    CHECK(gri_isa_available(gri_isa_best()));
    CHECK(strcmp(gri_isa_name(GRI_ISA_PORTABLE), "portable") == 0);
    CHECK(strcmp(gri_isa_name(GRI_ISA_AVX2), "avx2") == 0);
    CHECK(strcmp(gri_isa_name(GRI_ISA_AVX512), "avx512") == 0);
    CHECK(strcmp(gri_isa_name(GRI_ISA_COUNT), "unknown") == 0);
}

int main(void)
{
    const gr_allocator none = {0};
    gri_memory_init(&memory, &none, SIZE_MAX);
#ifndef SANITIZED
    RUN(test_no_threads); /* first: later, stacks of ended threads are used again */
#endif
    RUN(test_no_pool);
    RUN(test_each_task_once);
    RUN(test_unused_pool);
    RUN(test_many_runs);
    RUN(test_no_memory);
    RUN(test_signals);
    RUN(test_processors);
    RUN(test_isa);
    gri_memory_trim(&memory);
    return TEST_EXIT;
}
