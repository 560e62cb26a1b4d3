// librdkafka uses C11 threads, which the thread sanitizer does not follow: its process crashes in the first thread that it
// did not see begin. Only in a build for the sanitizer, these definitions take the place of the C library's and hand
// everything on to POSIX threads, which it follows. glibc's own are built on POSIX threads in the same way.
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

struct start { thrd_start_t function; void *argument; };

static void *run(void *pointer) {
    struct start start = *(struct start *)pointer;
    free(pointer);
    return (void *)(intptr_t)start.function(start.argument);
}

static int status(int code) {
    switch (code) {
    case 0: return thrd_success;
    case ENOMEM: case EAGAIN: return thrd_nomem;
    case ETIMEDOUT: return thrd_timedout;
    case EBUSY: return thrd_busy;
    default: return thrd_error;
    }
}

int thrd_create(thrd_t *thread, thrd_start_t function, void *argument) {
    struct start *start = malloc(sizeof *start);
    if (!start) return thrd_nomem;
    *start = (struct start){ function, argument };
    pthread_t made;
    int code = pthread_create(&made, NULL, run, start);
    if (code) free(start); else *thread = made;
    return status(code);
}

int thrd_join(thrd_t thread, int *result) {
    void *value;
    int code = pthread_join(thread, &value);
    if (!code && result) *result = (int)(intptr_t)value;
    return status(code);
}

int thrd_detach(thrd_t thread) { return status(pthread_detach(thread)); }

static pthread_mutex_t *mutex(mtx_t *m) { return (pthread_mutex_t *)m; }
static pthread_cond_t *condition(cnd_t *c) { return (pthread_cond_t *)c; }

int mtx_init(mtx_t *m, int type) {
    pthread_mutexattr_t attributes;
    pthread_mutexattr_init(&attributes);
    if (type & mtx_recursive) pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
    int code = pthread_mutex_init(mutex(m), &attributes);
    pthread_mutexattr_destroy(&attributes);
    return status(code);
}
int mtx_lock(mtx_t *m) { return status(pthread_mutex_lock(mutex(m))); }
int mtx_trylock(mtx_t *m) { return status(pthread_mutex_trylock(mutex(m))); }
int mtx_unlock(mtx_t *m) { return status(pthread_mutex_unlock(mutex(m))); }
void mtx_destroy(mtx_t *m) { pthread_mutex_destroy(mutex(m)); }

int cnd_init(cnd_t *c) { return status(pthread_cond_init(condition(c), NULL)); }
int cnd_signal(cnd_t *c) { return status(pthread_cond_signal(condition(c))); }
int cnd_broadcast(cnd_t *c) { return status(pthread_cond_broadcast(condition(c))); }
int cnd_wait(cnd_t *c, mtx_t *m) { return status(pthread_cond_wait(condition(c), mutex(m))); }
int cnd_timedwait(cnd_t *c, mtx_t *m, const struct timespec *until) {
    return status(pthread_cond_timedwait(condition(c), mutex(m), until));
}
void cnd_destroy(cnd_t *c) { pthread_cond_destroy(condition(c)); }
