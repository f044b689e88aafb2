/*
 * The thread pool. One word of state says whether a run is open, how many workers are in it, and which run it
 * is; a worker enters by raising the count while the run is open. The caller opens a run, works on it like
 * any worker, closes it, and waits for the workers that entered. Workers that come too late are not waited
 * for, so a short run does not pay for waking a sleeping thread.
 *
 * Invariant: the description of a run (fn, arg, n, next) is written only while no run is open and no worker
 * is in one.
 */
#if defined(__linux__) && !defined(_GNU_SOURCE)
#    define _GNU_SOURCE /* sched_getaffinity */
#endif
#include "base/threads.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

/* state = run number * RUN_STEP + RUN_OPEN (while open) + workers in the run */
static const uint64_t RUN_OPEN = (uint64_t)1 << 31;
static const uint64_t RUN_STEP = (uint64_t)1 << 32;
static const uint64_t RUN_WORKERS = ((uint64_t)1 << 31) - 1;

/* Looks at the state before a thread goes to sleep: some 20 microseconds, about what waking it would take. */
enum { SPINS = 1000 };

struct gri_threads {
    gri_memory *memory;
    int count;   /* threads asked for, the caller's among them */
    int started; /* workers that run; grows at the first run, under no lock: only the caller looks */
    bool asked;  /* the system was asked to start them */
    int spins;
    pthread_t *workers;

    gri_task *fn;
    void *arg;
    int64_t n;
    _Atomic int64_t next;
    _Atomic uint64_t state;

    pthread_mutex_t mutex; /* guards falling asleep only */
    pthread_cond_t wake;   /* a run was opened, or stop */
    pthread_cond_t leave;  /* the last worker left a closed run */
    _Atomic int sleepers;  /* workers asleep, or about to be */
    _Atomic bool waiting;  /* the caller is asleep, or about to be */
    _Atomic bool stop;
};

static void pause_briefly(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Whether `state` has an open run other than `last`. */
static bool is_new_run(uint64_t state, uint64_t last)
{
    return (state & RUN_OPEN) && state / RUN_STEP != last;
}

static void take_tasks(gri_threads *pool)
{
    for (;;) {
        const int64_t index = atomic_fetch_add_explicit(&pool->next, 1, memory_order_relaxed);
        if (index >= pool->n) return;
        pool->fn(pool->arg, index);
    }
}

/* Waits for a run that this worker was not in; false when the pool is to end. The increment of `sleepers`
   before the last look at the state, and the caller's opening before its look at `sleepers`, are sequentially
   consistent: one of the two sees the other. */
static bool await_run(gri_threads *pool, uint64_t last)
{
    for (int spin = 0; spin < pool->spins; spin++) {
        if (is_new_run(atomic_load(&pool->state), last)) return true;
        if (atomic_load(&pool->stop)) return false;
        pause_briefly();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add(&pool->sleepers, 1);
    while (!is_new_run(atomic_load(&pool->state), last) && !atomic_load(&pool->stop))
        pthread_cond_wait(&pool->wake, &pool->mutex);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->mutex);
    return !atomic_load(&pool->stop);
}

/* Enters the open run, if there still is one that differs from *last, and makes it the last. */
static bool enter_run(gri_threads *pool, uint64_t *last)
{
    uint64_t state = atomic_load(&pool->state);
    while (is_new_run(state, *last)) {
        if (atomic_compare_exchange_weak(&pool->state, &state, state + 1)) {
            *last = state / RUN_STEP;
            return true;
        }
    }
    return false;
}

static void leave_run(gri_threads *pool)
{
    const uint64_t before = atomic_fetch_sub(&pool->state, 1);
    if ((before & RUN_OPEN) || (before & RUN_WORKERS) > 1 || !atomic_load(&pool->waiting)) return;
    pthread_mutex_lock(&pool->mutex);
    pthread_cond_signal(&pool->leave);
    pthread_mutex_unlock(&pool->mutex);
}

static void *work(void *argument)
{
    gri_threads *pool = argument;
    uint64_t last = 0; /* runs are numbered from 1 */
    while (await_run(pool, last)) {
        if (!enter_run(pool, &last)) continue;
        take_tasks(pool);
        leave_run(pool);
    }
    return NULL;
}

/* Signals are for the host program's own threads, so the workers block them all. */
static void start_workers(gri_threads *pool)
{
    sigset_t all, before;
    pool->asked = true;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) return;
    while (pool->started < pool->count - 1 &&
           pthread_create(&pool->workers[pool->started], NULL, work, pool) == 0)
        pool->started++;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void open_run(gri_threads *pool)
{
    const uint64_t run = atomic_load(&pool->state) / RUN_STEP + 1;
    atomic_store(&pool->state, run * RUN_STEP + RUN_OPEN);
    const int64_t sleepers = atomic_load(&pool->sleepers);
    if (sleepers == 0) return;
    pthread_mutex_lock(&pool->mutex);
    if (pool->n > sleepers) {
        pthread_cond_broadcast(&pool->wake);
    } else {
        for (int64_t i = 1; i < pool->n; i++) pthread_cond_signal(&pool->wake);
    }
    pthread_mutex_unlock(&pool->mutex);
}

static void close_run(gri_threads *pool)
{
    if ((atomic_fetch_and(&pool->state, ~RUN_OPEN) & RUN_WORKERS) == 0) return;
    for (int spin = 0; spin < pool->spins; spin++) {
        if ((atomic_load(&pool->state) & RUN_WORKERS) == 0) return;
        pause_briefly();
    }
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->waiting, true);
    while ((atomic_load(&pool->state) & RUN_WORKERS) != 0) pthread_cond_wait(&pool->leave, &pool->mutex);
    atomic_store(&pool->waiting, false);
    pthread_mutex_unlock(&pool->mutex);
}

void gri_threads_run(gri_threads *pool, int64_t n, gri_task *fn, void *arg)
{
    if (pool && pool->count > 1 && n > 1 && !pool->asked) start_workers(pool);
    if (!pool || pool->started == 0 || n <= 1) {
        for (int64_t i = 0; i < n; i++) fn(arg, i);
        return;
    }
    pool->fn = fn;
    pool->arg = arg;
    pool->n = n;
    atomic_store_explicit(&pool->next, 0, memory_order_relaxed);
    open_run(pool);
    take_tasks(pool);
    close_run(pool);
}

gri_threads *gri_threads_create(gri_memory *memory, int count)
{
    gri_threads *pool = gri_alloc_zeroed(memory, sizeof *pool);
    if (!pool) return NULL;
    pool->memory = memory;
    pool->count = count < 1 ? 1 : count;
    /* Where threads share processors, spinning only keeps the others from working. */
    pool->spins = pool->count <= gri_processors() ? SPINS : 1;
    pool->workers = gri_alloc_zeroed(memory, (size_t)pool->count * sizeof *pool->workers);
    if (!pool->workers) goto no_workers;
    if (pthread_mutex_init(&pool->mutex, NULL) != 0) goto no_mutex;
    if (pthread_cond_init(&pool->wake, NULL) != 0) goto no_wake;
    if (pthread_cond_init(&pool->leave, NULL) != 0) goto no_leave;
    return pool;
no_leave:
    pthread_cond_destroy(&pool->wake);
no_wake:
    pthread_mutex_destroy(&pool->mutex);
no_mutex:
    gri_free(memory, pool->workers, (size_t)pool->count * sizeof *pool->workers);
no_workers:
    gri_free(memory, pool, sizeof *pool);
    return NULL;
}

void gri_threads_destroy(gri_threads *pool)
{
    if (!pool) return;
    pthread_mutex_lock(&pool->mutex);
    atomic_store(&pool->stop, true);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->mutex);
    for (int i = 0; i < pool->started; i++) pthread_join(pool->workers[i], NULL);
    pthread_cond_destroy(&pool->leave);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->mutex);
    gri_free(pool->memory, pool->workers, (size_t)pool->count * sizeof *pool->workers);
    gri_free(pool->memory, pool, sizeof *pool);
}

int gri_threads_count(const gri_threads *pool) { return pool ? pool->count : 1; }

int gri_processors(void)
{
#ifdef __linux__
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0 && CPU_COUNT(&set) > 0) return CPU_COUNT(&set);
#endif
    const long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : (int)online;
}
