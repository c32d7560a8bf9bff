// Shifts the time of day that a program sees (LD_PRELOAD) by the seconds in the file CLOCK_FILE, which may
// change at any time.
#include <fcntl.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *time) {
    long result = syscall(SYS_clock_gettime, clock, time);
    const char *name = getenv("CLOCK_FILE");
    if (result != 0 || clock != CLOCK_REALTIME || name == NULL) return (int)result;
    int file = open(name, O_RDONLY | O_CLOEXEC);
    if (file < 0) return 0;
    char text[32] = {0};
    if (read(file, text, sizeof text - 1) > 0) time->tv_sec += atoll(text);
    close(file);
    return 0;
}
