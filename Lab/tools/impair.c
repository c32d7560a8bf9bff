// impair INTERFACE LOST REPEATED DELAYED SEED: a bad network. Every IP packet that is routed into the TUN
// interface of that name comes out of it again, except that of a thousand so many are lost, so many come twice,
// and so many only after some of the packets behind them (or after 20 ms). SIGTERM ends it with its counts.
#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { packet_max = 65536, held_max = 64 };

struct held {
    size_t count;
    long after; // Packets that may still overtake it.
    char bytes[packet_max];
};

static struct held held[held_max];
static int held_count, tun;
static long seen, lost, repeated, delayed;
static volatile sig_atomic_t ending;
static uint64_t state;

static void end(int signal) {
    (void)signal;
    ending = 1;
}

static uint64_t next_random(void) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static int happens(long of_thousand) { return next_random() % 1000 < (uint64_t)of_thousand; }

static void forward(const char *bytes, size_t count) {
    // A full queue loses the packet, as that of a router would.
    if (write(tun, bytes, count) < 0) lost++;
}

static void release(int everything) {
    for (int i = held_count - 1; i >= 0; i--) {
        if (--held[i].after > 0 && !everything) continue;
        forward(held[i].bytes, held[i].count);
        held_count--;
        if (i < held_count) memcpy(&held[i], &held[held_count], sizeof held[i]);
    }
}

int main(int count, char **arguments) {
    if (count != 6) return 2;
    long lost_of = atol(arguments[2]), repeated_of = atol(arguments[3]), delayed_of = atol(arguments[4]);
    state = strtoull(arguments[5], NULL, 10) * 2 + 1;
    tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};
    strncpy(request.ifr_name, arguments[1], IFNAMSIZ - 1);
    if (tun < 0 || ioctl(tun, TUNSETIFF, &request) < 0) {
        perror("impair");
        return 1;
    }
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGTERM, &action, NULL);
    static char packet[packet_max];
    while (!ending) {
        ssize_t length = read(tun, packet, sizeof packet);
        if (length < 0) {
            if (errno != EAGAIN && errno != EINTR) break;
            struct pollfd waiting = {.fd = tun, .events = POLLIN};
            if (poll(&waiting, 1, 20) == 0) release(1);
            continue;
        }
        seen++;
        release(0);
        if (happens(lost_of)) {
            lost++;
        } else if (happens(delayed_of) && held_count < held_max) {
            delayed++;
            held[held_count].count = (size_t)length;
            held[held_count].after = 1 + (long)(next_random() % 100);
            memcpy(held[held_count++].bytes, packet, (size_t)length);
        } else {
            forward(packet, (size_t)length);
            if (happens(repeated_of)) {
                repeated++;
                forward(packet, (size_t)length);
            }
        }
    }
    printf("%ld packets, %ld lost, %ld repeated, %ld delayed\n", seen, lost, repeated, delayed);
    return 0;
}
