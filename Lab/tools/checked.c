// Traffic in which every bit is known, to find what a network does to it besides losing some of it.
//
//   checked send-packets ADDRESS PORT COUNT PER-SECOND   UDP, of all lengths that fit, singly and in bursts
//   checked receive-packets PORT                         until SIGTERM or told the end; prints its counts and
//                                                        ends with 1 if one was damaged or came twice
//   checked send-stream ADDRESS PORT BYTES               the same over one TCP connection
//   checked receive-stream PORT
//
// A packet is its number, its length, a checksum, and bytes that follow from the number.
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { payload_min = 32, payload_max = 1252, burst_max = 40, numbers_max = 1 << 27 };

struct header {
    uint64_t number;
    uint32_t length, kind;
    uint64_t checksum;
};
enum { kind_data = 0x5EED, kind_end = 0xE2D };

static volatile sig_atomic_t ending;
static void end(int signal) {
    (void)signal;
    ending = 1;
}

static void fail(const char *what) {
    perror(what);
    exit(2);
}

static uint64_t mix(uint64_t word) {
    word += 0x9E3779B97F4A7C15;
    word = (word ^ word >> 30) * 0xBF58476D1CE4E5B9;
    word = (word ^ word >> 27) * 0x94D049BB133111EB;
    return word ^ word >> 31;
}

static uint64_t checksum(const uint8_t *bytes, size_t count) {
    uint64_t sum = 0xCBF29CE484222325;
    for (size_t i = 0; i < count; i++) sum = (sum ^ bytes[i]) * 0x100000001B3;
    return sum;
}

// The bytes of a packet behind its header, or of a stream from a position that is a multiple of 8 on.
static void fill(uint8_t *bytes, size_t count, uint64_t seed) {
    for (size_t i = 0; i < count; i += 8) {
        uint64_t word = mix(seed + i / 8);
        memcpy(bytes + i, &word, count - i < 8 ? count - i : 8);
    }
}

static void make_packet(uint8_t *packet, uint64_t number, size_t length, uint32_t kind) {
    struct header header = {number, (uint32_t)length, kind, 0};
    memcpy(packet, &header, sizeof header);
    fill(packet + sizeof header, length - sizeof header, number << 20);
    header.checksum = checksum(packet, length);
    memcpy(packet, &header, sizeof header);
}

static int is_intact(const uint8_t *packet, size_t length, struct header *header) {
    static uint8_t expected[65536];
    if (length < sizeof *header || length > payload_max) return 0;
    memcpy(header, packet, sizeof *header);
    if (header->length != length || header->number >= numbers_max) return 0;
    make_packet(expected, header->number, length, header->kind);
    return memcmp(expected, packet, length) == 0;
}

static struct sockaddr_storage address_of(const char *text, const char *port, socklen_t *length) {
    struct sockaddr_storage address = {0};
    struct sockaddr_in *four = (void *)&address;
    struct sockaddr_in6 *six = (void *)&address;
    if (inet_pton(AF_INET, text, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons((uint16_t)atoi(port));
        *length = sizeof *four;
    } else if (inet_pton(AF_INET6, text, &six->sin6_addr) == 1) {
        six->sin6_family = AF_INET6;
        six->sin6_port = htons((uint16_t)atoi(port));
        *length = sizeof *six;
    } else {
        errno = EINVAL;
        fail(text);
    }
    return address;
}

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000LL + time.tv_nsec;
}

static void wait_until(int64_t instant) {
    int64_t left = instant - now();
    if (left <= 0) return;
    struct timespec time = {left / 1000000000, left % 1000000000};
    nanosleep(&time, NULL);
}

static int send_packets(char **arguments) {
    socklen_t length;
    struct sockaddr_storage to = address_of(arguments[0], arguments[1], &length);
    uint64_t count = strtoull(arguments[2], NULL, 10), rate = strtoull(arguments[3], NULL, 10);
    if (count > numbers_max || rate == 0) return 2;
    int udp = socket(to.ss_family, SOCK_DGRAM, 0);
    if (udp < 0 || connect(udp, (void *)&to, length) < 0) fail("connect");
    static uint8_t burst[65536];
    int64_t start = now();
    uint64_t number = 0, refused = 0;
    while (number < count && !ending) {
        uint64_t choice = mix(number);
        size_t size = payload_min + (choice >> 8) % (payload_max - payload_min + 1);
        if (choice % 4 == 0) size = payload_max;
        // A burst is one call: the kernel cuts it, or leaves that to the tunnel.
        size_t together = choice % 3 == 0 ? 1 + (choice >> 32) % burst_max : 1;
        if (together > count - number) together = count - number;
        if (together * size > 65000) together = 65000 / size;
        for (size_t i = 0; i < together; i++) make_packet(burst + i * size, number + i, size, kind_data);
        int cut = together > 1 ? (int)size : 0;
        setsockopt(udp, IPPROTO_UDP, UDP_SEGMENT, &cut, sizeof cut);
        if (send(udp, burst, together * size, 0) < 0) refused += together;
        number += together;
        wait_until(start + (int64_t)(number * 1000000000 / rate));
    }
    int cut = 0;
    setsockopt(udp, IPPROTO_UDP, UDP_SEGMENT, &cut, sizeof cut);
    for (int i = 0; i < 40; i++) {
        make_packet(burst, number, payload_min, kind_end);
        (void)!send(udp, burst, payload_min, 0);
        wait_until(now() + 25000000);
    }
    printf("sent %llu, refused %llu\n", (unsigned long long)number, (unsigned long long)refused);
    return 0;
}

static int receive_packets(char **arguments) {
    socklen_t length;
    struct sockaddr_storage at = address_of("::", arguments[0], &length);
    int udp = socket(AF_INET6, SOCK_DGRAM, 0), size = 16 << 20;
    setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
    setsockopt(udp, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    struct timeval patience = {.tv_sec = 1};
    setsockopt(udp, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (udp < 0 || bind(udp, (void *)&at, length) < 0) fail("bind");
    uint8_t *seen = calloc(numbers_max / 8, 1);
    static uint8_t packet[65536];
    uint64_t received = 0, damaged = 0, twice = 0, late = 0, highest = 0;
    while (!ending) {
        ssize_t count = recv(udp, packet, sizeof packet, 0);
        if (count < 0) continue;
        struct header header;
        if (!is_intact(packet, (size_t)count, &header)) {
            damaged++;
            continue;
        }
        if (header.kind == kind_end) break;
        if (seen[header.number / 8] >> header.number % 8 & 1) twice++;
        seen[header.number / 8] |= (uint8_t)(1 << header.number % 8);
        if (header.number < highest) late++;
        else highest = header.number;
        received++;
    }
    printf("received %llu, damaged %llu, twice %llu, late %llu\n", (unsigned long long)received,
           (unsigned long long)damaged, (unsigned long long)twice, (unsigned long long)late);
    return damaged > 0 || twice > 0;
}

static int send_stream(char **arguments) {
    socklen_t length;
    struct sockaddr_storage to = address_of(arguments[0], arguments[1], &length);
    uint64_t count = strtoull(arguments[2], NULL, 10) / 65536 * 65536;
    int tcp = -1;
    // The other side may not listen yet.
    for (int attempt = 0; attempt < 100; attempt++) {
        tcp = socket(to.ss_family, SOCK_STREAM, 0);
        if (tcp < 0 || connect(tcp, (void *)&to, length) == 0 || errno != ECONNREFUSED) break;
        close(tcp);
        tcp = -1;
        wait_until(now() + 100000000);
    }
    if (tcp < 0) fail("connect");
    static uint8_t bytes[65536];
    for (uint64_t position = 0; position < count && !ending; position += sizeof bytes) {
        fill(bytes, sizeof bytes, position / 8);
        for (size_t sent = 0; sent < sizeof bytes;) {
            ssize_t now_sent = send(tcp, bytes + sent, sizeof bytes - sent, MSG_NOSIGNAL);
            if (now_sent < 0 && errno == EINTR) continue;
            if (now_sent < 0) fail("send");
            sent += (size_t)now_sent;
        }
    }
    shutdown(tcp, SHUT_WR);
    (void)!read(tcp, bytes, 1);
    printf("sent %llu bytes\n", (unsigned long long)count);
    return 0;
}

static int receive_stream(char **arguments) {
    socklen_t length;
    struct sockaddr_storage at = address_of("::", arguments[0], &length);
    int listening = socket(AF_INET6, SOCK_STREAM, 0), yes = 1;
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listening, (void *)&at, length) < 0 || listen(listening, 1) < 0) fail("listen");
    int tcp = accept(listening, NULL, NULL);
    static uint8_t bytes[65536], expected[65536];
    uint64_t position = 0;
    while (1) {
        // Whole words, so that the position stays a multiple of 8.
        size_t have = 0;
        while (have < sizeof bytes) {
            ssize_t count = recv(tcp, bytes + have, sizeof bytes - have, 0);
            if (count <= 0) break;
            have += (size_t)count;
        }
        fill(expected, have, position / 8);
        if (memcmp(bytes, expected, have) != 0) {
            printf("damaged between byte %llu and %llu\n", (unsigned long long)position,
                   (unsigned long long)(position + have));
            return 1;
        }
        position += have;
        if (have < sizeof bytes) break;
    }
    printf("received %llu bytes\n", (unsigned long long)position);
    return 0;
}

int main(int count, char **arguments) {
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGTERM, &action, NULL);
    const char *what = count > 1 ? arguments[1] : "";
    if (!strcmp(what, "send-packets") && count == 6) return send_packets(arguments + 2);
    if (!strcmp(what, "receive-packets") && count == 3) return receive_packets(arguments + 2);
    if (!strcmp(what, "send-stream") && count == 5) return send_stream(arguments + 2);
    if (!strcmp(what, "receive-stream") && count == 3) return receive_stream(arguments + 2);
    fprintf(stderr, "usage: see checked.c\n");
    return 2;
}
