/* relay_load ADDRESS PORT SECONDS PACKET_BYTES READ_MBIT GROUP...
 *
 * Clients of a relay (DERP over plain HTTP) in one process: what they send, what arrives, and when.
 * GROUP is COUNTxMBIT@RECEIVER: so many senders, each offering so many Mb/s (0: all that the socket takes)
 * to the receiver of that number; COUNTxMBIT@= gives each sender a receiver of its own. Receivers read
 * READ_MBIT at the most (0: all there is). A further client sends the first receiver a packet that looks
 * like disco every 10 ms. Prints one line of JSON. Rates are those of packets, without frames' headers.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 64 << 10, INPUT = 256 << 10, CLIENTS_MAX = 256, GROUPS_MAX = 8, BUCKETS = 40 * 16 };
enum { SEND_PACKET = 4, RECEIVE_PACKET = 5, PING = 0x12, PONG = 0x13, HEADER = 5, KEY = 32 };

struct client {
    int fd, group, receiver;
    unsigned char public_key[32], secret_key[32];
    /* sending */
    double rate, tokens; /* bytes of packets a nanosecond, bytes */
    unsigned char *chunk;
    int chunk_bytes, chunk_sent, is_writable;
    uint64_t packets_sent, packets_arrived;
    /* receiving */
    unsigned char *input;
    int input_bytes, is_readable;
    double read_tokens;
};

struct group {
    int count;
    uint64_t latency[BUCKETS];
    uint64_t latencies;
};

static struct client clients[CLIENTS_MAX];
static struct group groups[GROUPS_MAX + 1];
static int client_count, group_count, packet_bytes;

static uint64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void die(const char *what) {
    fprintf(stderr, "relay_load: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void put32(unsigned char *p, uint32_t v) {
    v = htonl(v);
    memcpy(p, &v, 4);
}
static uint32_t get32(const unsigned char *p) {
    uint32_t v;
    memcpy(&v, p, 4);
    return ntohl(v);
}

static void read_all(int fd, unsigned char *p, size_t n) {
    while (n > 0) {
        ssize_t r = read(fd, p, n);
        if (r <= 0) die("the relay closed the connection at the login");
        p += r;
        n -= (size_t)r;
    }
}
static void write_all(int fd, const void *p, size_t n) {
    if (write(fd, p, n) != (ssize_t)n) die("write");
}

static void log_in(struct client *c, const char *address, int port, int is_slow) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, address, &to.sin_addr) != 1) die("address");
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    int small = 128 << 10, one = 1;
    if (is_slow) setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (struct sockaddr *)&to, sizeof to) < 0) die("connect");
    static const char request[] = "GET /derp HTTP/1.1\r\nHost: relay\r\nConnection: Upgrade\r\nUpgrade: DERP\r\n\r\n";
    write_all(c->fd, request, sizeof request - 1);
    unsigned char line[4] = {0}, frame[1024], relay[32], nonce[24];
    while (memcmp(line, "\r\n\r\n", 4) != 0) {
        memmove(line, line + 1, 3);
        read_all(c->fd, line + 3, 1);
    }
    read_all(c->fd, frame, HEADER);
    uint32_t length = get32(frame + 1);
    if (frame[0] != 1 || length < 40 || length > sizeof frame) die("no server key");
    read_all(c->fd, frame, length);
    memcpy(relay, frame + 8, 32);
    static const char info[] = "{\"version\":2,\"CanAckPings\":true,\"IsProber\":false}";
    crypto_box_keypair(c->public_key, c->secret_key);
    randombytes_buf(nonce, sizeof nonce);
    uint32_t sealed = 32 + 24 + crypto_box_MACBYTES + sizeof info - 1;
    frame[0] = 2;
    put32(frame + 1, sealed);
    memcpy(frame + 5, c->public_key, 32);
    memcpy(frame + 37, nonce, 24);
    if (crypto_box_easy(frame + 61, (const unsigned char *)info, sizeof info - 1, nonce, relay, c->secret_key))
        die("box");
    write_all(c->fd, frame, HEADER + sealed);
    read_all(c->fd, frame, HEADER);
    length = get32(frame + 1);
    if (frame[0] != 3 || length > sizeof frame) die("no server info");
    read_all(c->fd, frame, length);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
}

static struct client *add(const char *address, int port, int is_slow) {
    if (client_count == CLIENTS_MAX) die("too many clients");
    struct client *c = &clients[client_count++];
    log_in(c, address, port, is_slow);
    c->group = -1;
    c->receiver = -1;
    c->input = malloc(INPUT);
    c->is_readable = c->is_writable = 1;
    return c;
}

/* As many packets as fit, or as there are tokens for. */
static void fill(struct client *c, uint64_t at, int bytes, const unsigned char *magic) {
    int frame = HEADER + KEY + bytes, n = CHUNK / frame;
    if (c->rate > 0 && c->tokens < n * (double)bytes) n = (int)(c->tokens / bytes);
    c->chunk_bytes = c->chunk_sent = 0;
    for (int i = 0; i < n; i++) {
        unsigned char *p = c->chunk + c->chunk_bytes;
        p[0] = SEND_PACKET;
        put32(p + 1, (uint32_t)(KEY + bytes));
        memcpy(p + HEADER, clients[c->receiver].public_key, KEY);
        memcpy(p + HEADER + KEY, magic, 8);
        put32(p + HEADER + KEY + 8, (uint32_t)(c - clients));
        memcpy(p + HEADER + KEY + 12, &at, 8);
        c->chunk_bytes += frame;
    }
    c->tokens -= n * (double)bytes;
    c->packets_sent += (uint64_t)n;
}

static int try_send(struct client *c, uint64_t at) {
    static const unsigned char data[8] = {4}, disco[8] = {0x54, 0x53, 0xf0, 0x9f, 0x92, 0xac};
    int is_disco = c->group == group_count;
    if (c->chunk_sent == c->chunk_bytes) fill(c, at, is_disco ? 100 : packet_bytes, is_disco ? disco : data);
    if (c->chunk_sent == c->chunk_bytes || !c->is_writable) return 0;
    ssize_t n = write(c->fd, c->chunk + c->chunk_sent, (size_t)(c->chunk_bytes - c->chunk_sent));
    if (n < 0) {
        if (errno != EAGAIN) die("write");
        c->is_writable = 0;
        return 0;
    }
    c->chunk_sent += (int)n;
    return 1;
}

/* Sixteen buckets for each doubling, of nanoseconds. */
static int bucket(uint64_t ns) {
    if (ns < 16) return (int)ns;
    int top = 63 - __builtin_clzll(ns), b = (top - 3) * 16 + (int)((ns >> (top - 4)) & 15);
    return b < BUCKETS ? b : BUCKETS - 1;
}
static double percentile(const struct group *g, double part) {
    uint64_t want = (uint64_t)(part * (double)g->latencies), seen = 0;
    for (int b = 0; b < BUCKETS; b++) {
        seen += g->latency[b];
        if (seen > want) return b < 16 ? b / 1e6 : (double)((uint64_t)(16 + b % 16) << (b / 16 - 1)) / 1e6;
    }
    return 0;
}

static void arrive(const unsigned char *packet, uint64_t at) {
    uint32_t sender = get32(packet + 8);
    uint64_t sent;
    memcpy(&sent, packet + 12, 8);
    if (sender >= (uint32_t)client_count || clients[sender].group < 0) return;
    struct client *c = &clients[sender];
    c->packets_arrived++;
    groups[c->group].latency[bucket(at - sent)]++;
    groups[c->group].latencies++;
}

static int try_receive(struct client *c, uint64_t at, double read_rate) {
    if (!c->is_readable || (read_rate > 0 && c->read_tokens < 1)) return 0;
    size_t room = (size_t)(INPUT - c->input_bytes);
    if (read_rate > 0 && c->read_tokens < (double)room) room = (size_t)c->read_tokens;
    ssize_t n = read(c->fd, c->input + c->input_bytes, room);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) die("the relay closed a connection");
        c->is_readable = 0;
        return 0;
    }
    c->read_tokens -= (double)n;
    c->input_bytes += (int)n;
    int offset = 0;
    while (c->input_bytes - offset >= HEADER) {
        const unsigned char *p = c->input + offset;
        int length = (int)get32(p + 1);
        if (c->input_bytes - offset < HEADER + length) break;
        if (p[0] == RECEIVE_PACKET && length >= KEY + 20) arrive(p + HEADER + KEY, at);
        if (p[0] == PING && length == 8) {
            unsigned char pong[HEADER + 8] = {PONG, 0, 0, 0, 8};
            memcpy(pong + HEADER, p + HEADER, 8);
            /* Only receivers are asked, and they send nothing else. */
            if (c->group < 0) write_all(c->fd, pong, sizeof pong);
        }
        offset += HEADER + length;
    }
    memmove(c->input, c->input + offset, (size_t)(c->input_bytes - offset));
    c->input_bytes -= offset;
    return 1;
}

static void report(int g, double seconds, int bytes, double rate) {
    double least = 1e18, most = 0, sum = 0, sent = 0;
    int count = 0;
    for (int i = 0; i < client_count; i++) {
        if (clients[i].group != g) continue;
        double a = (double)clients[i].packets_arrived;
        count++;
        sum += a;
        sent += (double)clients[i].packets_sent;
        if (a < least) least = a;
        if (a > most) most = a;
    }
    double mbit = bytes * 8 / seconds / 1e6;
    printf("{\"senders\":%d,\"offered\":%.1f,\"sent\":%.1f,\"delivered\":%.1f,\"least\":%.2f,\"most\":%.2f,"
           "\"latency_ms\":{\"p50\":%.3f,\"p99\":%.3f}}",
           count, rate * count, sent * mbit, sum * mbit, least * mbit, most * mbit, percentile(&groups[g], 0.5),
           percentile(&groups[g], 0.99));
}

int main(int argc, char **argv) {
    if (argc < 7 || argc > 6 + GROUPS_MAX || sodium_init() < 0) die("usage");
    const char *address = argv[1];
    int port = atoi(argv[2]);
    double seconds = atof(argv[3]), read_rate = atof(argv[5]) / 8e3, rates[GROUPS_MAX + 1];
    packet_bytes = atoi(argv[4]);
    if (packet_bytes < 20 || packet_bytes > 60000) die("packet size");
    int receivers[CLIENTS_MAX], receiver_count = 0;
    group_count = argc - 6;
    for (int g = 0; g < group_count; g++) {
        int count;
        char to[16];
        if (sscanf(argv[6 + g], "%dx%lf@%15s", &count, &rates[g], to) != 3) die("group");
        for (int i = 0; i < count; i++) {
            int number = to[0] == '=' ? receiver_count : atoi(to);
            while (receiver_count <= number) {
                receivers[receiver_count] = client_count;
                add(address, port, read_rate > 0);
                receiver_count++;
            }
            struct client *c = add(address, port, 0);
            c->group = g;
            c->receiver = receivers[number];
            c->rate = rates[g] / 8e3;
        }
    }
    struct client *pinger = add(address, port, 0);
    pinger->group = group_count;
    pinger->receiver = receivers[0];
    pinger->rate = 100 / 1e7;
    rates[group_count] = pinger->rate * 8e3;

    int poller = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 0; i < client_count; i++) {
        if (clients[i].group >= 0) clients[i].chunk = calloc(1, CHUNK + 65536);
        struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.fd = i};
        epoll_ctl(poller, EPOLL_CTL_ADD, clients[i].fd, &e);
    }
    uint64_t start = now(), last = start, end = start + (uint64_t)(seconds * 1e9);
    int is_busy = 1;
    for (uint64_t at = start; at < end; last = at, at = now()) {
        struct epoll_event ready[64];
        int n = epoll_wait(poller, ready, 64, is_busy ? 0 : 1);
        at = now();
        for (int i = 0; i < n; i++) {
            struct client *c = &clients[ready[i].data.fd];
            if (ready[i].events & EPOLLOUT) c->is_writable = 1;
            if (ready[i].events & ~(uint32_t)EPOLLOUT) c->is_readable = 1;
        }
        is_busy = 0;
        double elapsed = (double)(at - last);
        for (int i = 0; i < client_count; i++) {
            struct client *c = &clients[i];
            if (c->group >= 0) {
                /* What could not be sent in 100 ms is not sent any more. */
                double most = c->rate * 1e8 > 2000 ? c->rate * 1e8 : 2000;
                c->tokens = c->tokens + c->rate * elapsed > most ? most : c->tokens + c->rate * elapsed;
                is_busy |= try_send(c, at);
            } else if (read_rate > 0) {
                double most = read_rate * 2e7 > 4096 ? read_rate * 2e7 : 4096;
                c->read_tokens = c->read_tokens + read_rate * elapsed > most ? most : c->read_tokens + read_rate * elapsed;
            }
            is_busy |= try_receive(c, at, c->group < 0 ? read_rate : 0);
        }
    }
    double took = (double)(now() - start) / 1e9;
    printf("{\"groups\":[");
    for (int g = 0; g < group_count; g++) {
        if (g) printf(",");
        report(g, took, packet_bytes, rates[g]);
    }
    printf("],\"disco\":");
    report(group_count, took, 100, rates[group_count]);
    printf("}\n");
    return 0;
}
