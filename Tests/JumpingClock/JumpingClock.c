// A wall clock that a test can set, for a process that is started with this library in LD_PRELOAD. The file named by
// JUMPING_CLOCK holds one int64_t, the seconds by which the clock is off; it is mapped, so a write counts at once.
//
// libfaketime does the same but for librdkafka's timed waits, which then end at once or never. Here they behave as Linux
// has them: a wait until a time of the wall clock ends when the clock reads that time, whatever happened to it meanwhile.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static _Atomic int64_t none;
static _Atomic int64_t *offset = &none;

__attribute__((constructor)) static void map_offset(void) {
    const char *path = getenv("JUMPING_CLOCK");
    int file = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (file < 0) return;
    void *page = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (page != MAP_FAILED) offset = page;
    close(file);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += *offset;
    return result;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result) *result = now.tv_sec;
    return now.tv_sec;
}

int timespec_get(struct timespec *time, int base) {
    clock_gettime(CLOCK_REALTIME, time);
    return base;
}

/// A slice of the wait until `end`, as a time of the monotonic clock. 0 when the wall clock has reached it.
static int next_slice(const struct timespec *end, struct timespec *slice) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t left = (end->tv_sec - now.tv_sec) * 1000000000LL + (end->tv_nsec - now.tv_nsec);
    if (left <= 0) return 0;
    if (left > 10000000) left = 10000000;
    clock_gettime(CLOCK_MONOTONIC, slice);
    slice->tv_nsec += left;
    if (slice->tv_nsec >= 1000000000) {
        slice->tv_nsec -= 1000000000;
        slice->tv_sec++;
    }
    return 1;
}

/// Times since the machine was started are of the monotonic clock, which does not jump.
static int is_monotonic(const struct timespec *end) { return end->tv_sec < 500000000; }

int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict end) {
    if (is_monotonic(end)) return pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, end);
    struct timespec slice;
    while (next_slice(end, &slice)) {
        int result = pthread_cond_clockwait(condition, mutex, CLOCK_MONOTONIC, &slice);
        if (result != ETIMEDOUT) return result;
    }
    return ETIMEDOUT;
}

int sem_timedwait(sem_t *restrict semaphore, const struct timespec *restrict end) {
    if (is_monotonic(end)) return sem_clockwait(semaphore, CLOCK_MONOTONIC, end);
    struct timespec slice;
    while (next_slice(end, &slice)) {
        if (sem_clockwait(semaphore, CLOCK_MONOTONIC, &slice) == 0) return 0;
        if (errno != ETIMEDOUT) return -1;
    }
    errno = ETIMEDOUT;
    return -1;
}
