#include "SocketName.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdalign.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

// Headers of the C library may be older than the kernel.
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif
// UDP_MAX_SEGMENTS of kernels before 6.9.
#define SEGMENTS_MAX 64
#define MESSAGES_MAX 64

_Static_assert(sizeof(clinux_piece) == sizeof(struct iovec), "pieces are iovecs");

ssize_t clinux_write_pieces(int descriptor, const clinux_piece *pieces, int count) {
    ssize_t written = writev(descriptor, (const struct iovec *)pieces, count);
    return written < 0 ? -errno : written;
}

void clinux_release_pages(void *bytes, size_t count) {
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t start = ((uintptr_t)bytes + page - 1) & ~(page - 1);
    uintptr_t end = ((uintptr_t)bytes + count) & ~(page - 1);
    if (start < end)
        madvise((void *)start, end - start, MADV_DONTNEED);
}

int clinux_udp_want_trains(int descriptor, int family) {
    int one = 1;
    int failed = family == 4 ? setsockopt(descriptor, IPPROTO_IP, IP_RECVTOS, &one, sizeof one)
                             : setsockopt(descriptor, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, sizeof one);
    if (failed < 0)
        return -errno;
    return setsockopt(descriptor, IPPROTO_UDP, UDP_GRO, &one, sizeof one) == 0;
}

int clinux_udp_can_segment(int descriptor) {
    int value;
    socklen_t size = sizeof value;
    return getsockopt(descriptor, IPPROTO_UDP, UDP_SEGMENT, &value, &size) == 0;
}

// Room for the two control messages of a train: how it is cut, and its ECN.
#define CONTROL_SPACE (CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(int)))

static void read_controls(struct msghdr *header, clinux_train *train) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
            int segment;
            memcpy(&segment, CMSG_DATA(c), sizeof segment);
            if (segment > 0 && segment < (int)train->count)
                train->segment = (uint16_t)segment;
        } else if ((c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) ||
                   (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)) {
            // A byte of IPv4, an integer of IPv6.
            int class = 0;
            if (c->cmsg_len >= CMSG_LEN(sizeof class))
                memcpy(&class, CMSG_DATA(c), sizeof class);
            else
                class = *CMSG_DATA(c);
            train->ecn = (uint8_t)(class & 3);
        }
    }
}

int clinux_udp_receive_trains(int descriptor, clinux_train *trains, int count) {
    struct mmsghdr messages[CLINUX_TRAINS];
    struct iovec vectors[CLINUX_TRAINS];
    struct sockaddr_in6 names[CLINUX_TRAINS];
    alignas(struct cmsghdr) char controls[CLINUX_TRAINS][CONTROL_SPACE];
    if (count > CLINUX_TRAINS)
        count = CLINUX_TRAINS;
    for (int index = 0; index < count; index++) {
        vectors[index] = (struct iovec){trains[index].bytes, trains[index].count};
        messages[index].msg_hdr = (struct msghdr){.msg_name = &names[index],
                                                  .msg_namelen = sizeof names[index],
                                                  .msg_iov = &vectors[index],
                                                  .msg_iovlen = 1,
                                                  .msg_control = controls[index],
                                                  .msg_controllen = CONTROL_SPACE};
    }
    int received = recvmmsg(descriptor, messages, (unsigned)count, 0, NULL);
    if (received < 0)
        return -errno;
    for (int index = 0; index < received; index++) {
        clinux_train *train = &trains[index];
        train->count = messages[index].msg_len;
        train->segment = (uint16_t)messages[index].msg_len;
        train->ecn = 0;
        train->truncated = (messages[index].msg_hdr.msg_flags & MSG_TRUNC) != 0;
        read_controls(&messages[index].msg_hdr, train);
        read_socket_name(&train->address, &names[index]);
    }
    return received;
}

// Where sending stands: at a byte of a train.
typedef struct {
    int train;
    uint32_t offset;
} position;

typedef struct {
    struct mmsghdr messages[MESSAGES_MAX];
    struct iovec vectors[MESSAGES_MAX];
    struct sockaddr_in6 names[MESSAGES_MAX];
    alignas(struct cmsghdr) char controls[MESSAGES_MAX][CONTROL_SPACE];
    position origins[MESSAGES_MAX];
} batch;

static struct cmsghdr *add_control(struct msghdr *header, char *control, int level, int type,
                                   const void *value, size_t size) {
    struct cmsghdr *c = (struct cmsghdr *)(control + header->msg_controllen);
    *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(size), .cmsg_level = level, .cmsg_type = type};
    memcpy(CMSG_DATA(c), value, size);
    header->msg_control = control;
    header->msg_controllen += CMSG_SPACE(size);
    return c;
}

// The next message: a whole train, as much of it as one call may carry, or one datagram.
static uint32_t add_message(batch *batch, int index, const clinux_train *train, uint32_t offset,
                            int segmenting) {
    uint32_t left = train->count - offset;
    uint32_t segments = segmenting ? SEGMENTS_MAX : 1;
    uint32_t size = (uint32_t)train->segment * segments;
    if (size > left)
        size = left;
    batch->vectors[index] = (struct iovec){(char *)train->bytes + offset, size};
    struct msghdr *header = &batch->messages[index].msg_hdr;
    *header = (struct msghdr){.msg_name = &batch->names[index],
                              .msg_namelen = socket_name(&batch->names[index], &train->address),
                              .msg_iov = &batch->vectors[index],
                              .msg_iovlen = 1};
    char *control = batch->controls[index];
    if (size > train->segment)
        add_control(header, control, IPPROTO_UDP, UDP_SEGMENT, &train->segment,
                    sizeof train->segment);
    if (train->ecn) {
        int class = train->ecn;
        if (train->address.family == 4)
            add_control(header, control, IPPROTO_IP, IP_TOS, &class, sizeof class);
        else
            add_control(header, control, IPPROTO_IPV6, IPV6_TCLASS, &class, sizeof class);
    }
    return size;
}

static uint32_t datagrams(const clinux_train *train, size_t bytes) {
    return (uint32_t)((bytes + train->segment - 1) / train->segment);
}

// Fills the batch from `*next` on and moves it behind what is in the batch.
static int fill(batch *batch, const clinux_train *trains, int count, int family, int segmenting,
                int whole_from, position *next) {
    int filled = 0;
    while (next->train < count && filled < MESSAGES_MAX) {
        const clinux_train *train = &trains[next->train];
        if (train->count == 0 || train->segment == 0 || train->address.family != family) {
            next->train++;
            continue;
        }
        batch->origins[filled] = *next;
        next->offset += add_message(batch, filled++, train, next->offset,
                                    segmenting && next->train >= whole_from);
        if (next->offset >= train->count)
            *next = (position){next->train + 1, 0};
    }
    return filled;
}

clinux_sent clinux_udp_send_trains(int descriptor, const clinux_train *trains, int count, int family,
                                   int *segmenting) {
    clinux_sent outcome = {0};
    batch batch;
    position done = {0, 0};
    // Trains before this one go as single datagrams, so that the kernel can say which it refuses.
    int whole_from = 0;
    for (;;) {
        position next = done;
        int filled = fill(&batch, trains, count, family, *segmenting, whole_from, &next);
        if (filled == 0)
            return outcome;
        int sent = sendmmsg(descriptor, batch.messages, (unsigned)filled, 0);
        if (sent >= 0) {
            for (int index = 0; index < sent; index++)
                outcome.sent += datagrams(&trains[batch.origins[index].train],
                                          batch.vectors[index].iov_len);
            // sendmmsg hides the error that stopped it once something was sent: the next call meets it.
            done = sent < filled ? batch.origins[sent] : next;
            continue;
        }
        const clinux_train *train = &trains[batch.origins[0].train];
        int is_joined = batch.vectors[0].iov_len > train->segment;
        if (errno == EINTR) {
            continue;
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            for (done = batch.origins[0]; done.train < count; done = (position){done.train + 1, 0})
                if (trains[done.train].count && trains[done.train].segment &&
                    trains[done.train].address.family == family)
                    outcome.left += datagrams(&trains[done.train],
                                              trains[done.train].count - done.offset);
            return outcome;
        } else if (errno == EIO && is_joined) {
            // The device can't compute checksums: the kernel does not cut for it.
            *segmenting = 0;
        } else if ((errno == EINVAL || errno == EMSGSIZE) && is_joined) {
            whole_from = batch.origins[0].train + 1;
        } else {
            outcome.refused++;
            outcome.last_error = errno;
            done = batch.origins[0];
            done.offset += (uint32_t)batch.vectors[0].iov_len;
            if (done.offset >= train->count)
                done = (position){done.train + 1, 0};
        }
    }
}
