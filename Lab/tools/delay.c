// delay INTERFACE FILE: a long way. Every IP packet that is routed into the TUN interface of that name comes out of
// it again after so many milliseconds as FILE says with its first number, and up to so many more by chance as it
// says with its second. None overtakes another. FILE is read anew five times a second.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { packet_max = 2048, held_max = 2048 };

static struct held {
    size_t count;
    int64_t due;
    char bytes[packet_max];
} held[held_max];
static unsigned first, last; // Of those held, counted without end.
static double least = 0, more = 0;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void read_delay(const char *path) {
    static int64_t next;
    if (now() < next) return;
    next = now() + 200000000;
    double a, b;
    FILE *file = fopen(path, "r");
    if (file == NULL) return;
    if (fscanf(file, "%lf %lf", &a, &b) == 2) least = a, more = b;
    fclose(file);
}

int main(int count, char **arguments) {
    if (count != 3) return 2;
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    strncpy(request.ifr_name, arguments[1], IFNAMSIZ - 1);
    int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    if (tun < 0 || ioctl(tun, TUNSETIFF, &request) < 0) {
        perror("delay: /dev/net/tun");
        return 1;
    }
    int64_t due = 0;
    for (;;) {
        struct timespec rest = {1, 0};
        if (first != last) {
            int64_t left = held[first % held_max].due - now();
            if (left < 0) left = 0;
            rest = (struct timespec){left / 1000000000, left % 1000000000};
        }
        struct pollfd poll = {.fd = tun, .events = POLLIN};
        if (ppoll(&poll, 1, &rest, NULL) < 0 && errno != EINTR) return 1;
        read_delay(arguments[2]);
        while (first != last && held[first % held_max].due <= now()) {
            struct held *next = &held[first++ % held_max];
            if (write(tun, next->bytes, next->count) < 0 && errno != EINVAL && errno != EIO) perror("delay: write");
        }
        while (last - first < held_max) {
            struct held *next = &held[last % held_max];
            ssize_t size = read(tun, next->bytes, packet_max);
            if (size <= 0) break;
            next->count = (size_t)size;
            int64_t wanted = now() + (int64_t)(1e6 * (least + more * (double)rand() / RAND_MAX));
            next->due = due = wanted > due ? wanted : due;
            last++;
        }
    }
}
