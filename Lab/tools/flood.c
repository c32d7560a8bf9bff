// flood ADDRESS PORT BYTES SECONDS: UDP as fast as the kernel takes it; prints how many datagrams that were.
// flood receive PORT: prints how many arrived, half a second after the last of them.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int receive(int port) {
    enum { batch = 64 };
    struct sockaddr_in own = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int size = 8 << 20, descriptor = socket(AF_INET, SOCK_DGRAM, 0);
    if (descriptor < 0 || bind(descriptor, (struct sockaddr *)&own, sizeof own) < 0)
        return 1;
    // Beyond the limit of the system where that is allowed.
    if (setsockopt(descriptor, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    static char payload[batch][8];
    struct iovec vectors[batch];
    struct mmsghdr messages[batch] = {0};
    for (int index = 0; index < batch; index++) {
        vectors[index] = (struct iovec){payload[index], sizeof payload[index]};
        messages[index].msg_hdr = (struct msghdr){.msg_iov = &vectors[index], .msg_iovlen = 1};
    }
    long received = 0;
    for (;;) {
        int result = recvmmsg(descriptor, messages, batch, MSG_WAITFORONE, NULL);
        if (result <= 0)
            break;
        if (received == 0) {
            struct timeval pause = {.tv_usec = 500000};
            setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof pause);
        }
        received += result;
    }
    printf("%ld\n", received);
    return 0;
}

int main(int count, char **arguments) {
    if (count == 3 && strcmp(arguments[1], "receive") == 0)
        return receive(atoi(arguments[2]));
    enum { batch = 16, bytes_max = 1200 };
    struct sockaddr_in to = {.sin_family = AF_INET};
    if (count != 5 || inet_pton(AF_INET, arguments[1], &to.sin_addr) != 1)
        return 2;
    to.sin_port = htons((uint16_t)atoi(arguments[2]));
    int bytes = atoi(arguments[3]);
    if (bytes < 1 || bytes > bytes_max)
        return 2;
    int descriptor = socket(AF_INET, SOCK_DGRAM, 0);
    if (descriptor < 0 || connect(descriptor, (struct sockaddr *)&to, sizeof to) < 0)
        return 1;
    static char payload[bytes_max];
    struct iovec vector = {payload, (size_t)bytes};
    struct mmsghdr messages[batch] = {0};
    for (int index = 0; index < batch; index++)
        messages[index].msg_hdr = (struct msghdr){.msg_iov = &vector, .msg_iovlen = 1};
    long sent = 0;
    for (double end = now() + atof(arguments[4]); now() < end;) {
        int result = sendmmsg(descriptor, messages, batch, 0);
        sent += result > 0 ? result : 0;
    }
    printf("%ld\n", sent);
}
