// Shifts the time of day that a program sees (LD_PRELOAD) by the seconds in the file CLOCK_FILE, which may
// change at any time. With CLOCK_SPEED all its clocks go that many times as fast, and a packet thread that
// waits for its next deadline waits accordingly less.
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { second = 1000000000 };

static int64_t speed(void) {
    static int64_t known;
    if (known == 0) {
        const char *text = getenv("CLOCK_SPEED");
        known = text ? atoll(text) : 1;
    }
    return known;
}

// The clocks go faster from the boot of the machine on, the time of day from the first look at it.
static void hasten(clockid_t clock, struct timespec *time) {
    static int64_t first_look;
    int64_t now = time->tv_sec * (int64_t)second + time->tv_nsec, origin = 0;
    if (clock == CLOCK_REALTIME) {
        if (__atomic_compare_exchange_n(&first_look, &origin, now, 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
            origin = now;
    }
    now = origin + (now - origin) * speed();
    time->tv_sec = now / second;
    time->tv_nsec = now % second;
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    long result = syscall(SYS_clock_gettime, clock, time);
    if (result != 0) return (int)result;
    if (speed() != 1 && (clock == CLOCK_REALTIME || clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME))
        hasten(clock, time);
    const char *name = getenv("CLOCK_FILE");
    if (clock != CLOCK_REALTIME || name == NULL) return 0;
    int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    char text[32] = {0};
    if (read(file, text, sizeof text - 1) > 0) time->tv_sec += atoll(text);
    close(file);
    return 0;
}

int epoll_pwait2(int epoll, struct epoll_event *events, int count, const struct timespec *timeout,
                 const sigset_t *signals) {
    struct timespec shorter;
    if (timeout && speed() != 1) {
        int64_t wait = (timeout->tv_sec * (int64_t)second + timeout->tv_nsec) / speed();
        shorter = (struct timespec){wait / second, wait % second};
        timeout = &shorter;
    }
    return (int)syscall(SYS_epoll_pwait2, epoll, events, count, timeout, signals, _NSIG / 8);
}
