#include "SocketName.h"

#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <malloc.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define OR_ERRNO(call)                                                                             \
    ({                                                                                             \
        __typeof__(call) result_ = (call);                                                         \
        result_ < 0 ? -errno : result_;                                                            \
    })

static uint64_t read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint64_t clinux_boottime(void) { return read_clock(CLOCK_BOOTTIME); }

uint64_t clinux_monotonic(void) { return read_clock(CLOCK_MONOTONIC); }

int clinux_epoll_create(void) { return OR_ERRNO(epoll_create1(EPOLL_CLOEXEC)); }

int clinux_epoll_set(int epoll, int descriptor, uint32_t events, uint64_t token, int is_new) {
    struct epoll_event event = {.events = events, .data.u64 = token};
    int operation = events == 0 ? EPOLL_CTL_DEL : is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
    return OR_ERRNO(epoll_ctl(epoll, operation, descriptor, &event));
}

int clinux_epoll_wait(int epoll, clinux_ready *ready, int capacity, int64_t timeout_ns) {
    struct epoll_event events[16];
    struct timespec timeout = {.tv_sec = timeout_ns / 1000000000,
                               .tv_nsec = timeout_ns % 1000000000};
    if (capacity > 16)
        capacity = 16;
    int count = epoll_pwait2(epoll, events, capacity, timeout_ns < 0 ? NULL : &timeout, NULL);
    if (count < 0)
        return errno == EINTR ? 0 : -errno;
    for (int index = 0; index < count; index++) {
        ready[index].token = events[index].data.u64;
        ready[index].events = events[index].events;
    }
    return count;
}

int clinux_eventfd(void) { return OR_ERRNO(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); }

int clinux_eventfd_signal(int descriptor) { return OR_ERRNO(eventfd_write(descriptor, 1)); }

int clinux_eventfd_clear(int descriptor) {
    eventfd_t value;
    return OR_ERRNO(eventfd_read(descriptor, &value));
}

int clinux_clock_watch_open(void) {
    int descriptor = OR_ERRNO(timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC | TFD_NONBLOCK));
    if (descriptor < 0)
        return descriptor;
    int result = clinux_clock_watch_rearm(descriptor);
    if (result < 0) {
        close(descriptor);
        return result;
    }
    return descriptor;
}

int clinux_clock_watch_rearm(int descriptor) {
    uint64_t count;
    // Reading ends the readiness; that it fails (ECANCELED) is the news itself.
    (void)!read(descriptor, &count, sizeof count);
    // Never meant to expire.
    struct itimerspec far = {.it_value = {.tv_sec = (time_t)1 << 40}};
    return OR_ERRNO(timerfd_settime(descriptor, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &far,
                                    NULL));
}

int clinux_close(int descriptor) { return OR_ERRNO(close(descriptor)); }

ssize_t clinux_read(int descriptor, void *bytes, size_t count) {
    return OR_ERRNO(read(descriptor, bytes, count));
}

ssize_t clinux_write(int descriptor, const void *bytes, size_t count) {
    return OR_ERRNO(write(descriptor, bytes, count));
}

int clinux_tun_open(char name[16]) {
    int descriptor = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return -errno;
    struct ifreq request = {0};
    request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
    memcpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (ioctl(descriptor, TUNSETIFF, &request) < 0) {
        int error = errno;
        close(descriptor);
        return -error;
    }
    memcpy(name, request.ifr_name, IFNAMSIZ);
    // Without it the queue is shorter, which is no reason to do without the interface.
    request.ifr_qlen = CLINUX_TUN_QUEUE;
    int helper = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (helper >= 0) {
        ioctl(helper, SIOCSIFTXQLEN, &request);
        close(helper);
    }
    return descriptor;
}

int clinux_tun_offload(int descriptor, unsigned flags) {
    return OR_ERRNO(ioctl(descriptor, TUNSETOFFLOAD, (unsigned long)flags));
}

static void force_buffer(int descriptor, int forced, int plain, int bytes) {
    if (setsockopt(descriptor, SOL_SOCKET, forced, &bytes, sizeof bytes) < 0)
        setsockopt(descriptor, SOL_SOCKET, plain, &bytes, sizeof bytes);
}

int clinux_udp_open(int family, uint16_t port, uint32_t mark, int buffer_bytes) {
    // An address of zeros is every address of the family.
    clinux_address local = {.family = (uint8_t)family, .port = port};
    return clinux_udp_open_at(local, mark, buffer_bytes);
}

int clinux_udp_open_at(clinux_address local, uint32_t mark, int buffer_bytes) {
    int family = local.family;
    int domain = family == 4 ? AF_INET : AF_INET6;
    int descriptor = socket(domain, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return -errno;
    int one = 1;
    struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_port = htons(local.port)};
    struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_port = htons(local.port)};
    memcpy(&v4.sin_addr, local.address, sizeof v4.sin_addr);
    memcpy(&v6.sin6_addr, local.address, sizeof v6.sin6_addr);
    if ((family == 6 &&
         setsockopt(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one) < 0) ||
        (mark && setsockopt(descriptor, SOL_SOCKET, SO_MARK, &mark, sizeof mark) < 0) ||
        bind(descriptor, family == 4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
             family == 4 ? sizeof v4 : sizeof v6) < 0) {
        int error = errno;
        close(descriptor);
        return -error;
    }
    // Whole datagrams or none, whatever the kernel thinks of the path: the size that passes is found
    // by probing (RFC 8899), and a forged ICMP message cannot lower it. Where a kernel lacks the
    // option, it fragments.
    int probe = family == 4 ? IP_PMTUDISC_PROBE : IPV6_PMTUDISC_PROBE;
    setsockopt(descriptor, family == 4 ? IPPROTO_IP : IPPROTO_IPV6,
               family == 4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &probe, sizeof probe);
    force_buffer(descriptor, SO_RCVBUFFORCE, SO_RCVBUF, buffer_bytes);
    force_buffer(descriptor, SO_SNDBUFFORCE, SO_SNDBUF, buffer_bytes);
    return descriptor;
}

int clinux_bind_to_device(int descriptor, const char *name) {
    return OR_ERRNO(
        setsockopt(descriptor, SOL_SOCKET, SO_BINDTODEVICE, name, (socklen_t)strlen(name)));
}

int clinux_socket_port(int descriptor) {
    struct sockaddr_in6 name;
    socklen_t size = sizeof name;
    if (getsockname(descriptor, (struct sockaddr *)&name, &size) < 0)
        return -errno;
    // sin_port and sin6_port share their place.
    return ntohs(name.sin6_port);
}

// Bytes of the control message that holds the local address of a datagram, either family's.
#define LOCAL_SPACE CMSG_SPACE(sizeof(struct in6_pktinfo))

// The address a datagram was sent to, from its control messages; family 0 where there is none.
static void read_local(struct msghdr *header, clinux_address *local) {
    local->family = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(header); c; c = CMSG_NXTHDR(header, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            local->family = 4;
            memcpy(local->address, &info.ipi_addr, 4);
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;
            memcpy(&info, CMSG_DATA(c), sizeof info);
            local->family = 6;
            memcpy(local->address, &info.ipi6_addr, 16);
        }
    }
}

// The control message that makes the kernel send from an address. Returns its length.
static size_t write_local(void *control, const clinux_address *local) {
    struct msghdr header = {.msg_control = control, .msg_controllen = LOCAL_SPACE};
    struct cmsghdr *c = CMSG_FIRSTHDR(&header);
    if (local->family == 4) {
        struct in_pktinfo info = {0};
        memcpy(&info.ipi_spec_dst, local->address, 4);
        *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof info),
                              .cmsg_level = IPPROTO_IP,
                              .cmsg_type = IP_PKTINFO};
        memcpy(CMSG_DATA(c), &info, sizeof info);
        return CMSG_SPACE(sizeof info);
    }
    struct in6_pktinfo info = {0};
    memcpy(&info.ipi6_addr, local->address, 16);
    *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof info),
                          .cmsg_level = IPPROTO_IPV6,
                          .cmsg_type = IPV6_PKTINFO};
    memcpy(CMSG_DATA(c), &info, sizeof info);
    return CMSG_SPACE(sizeof info);
}

int clinux_udp_want_local(int descriptor, int family) {
    int one = 1;
    return OR_ERRNO(family == 4 ? setsockopt(descriptor, IPPROTO_IP, IP_PKTINFO, &one, sizeof one)
                                : setsockopt(descriptor, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one,
                                             sizeof one));
}

static int receive(int descriptor, clinux_datagram *datagrams, clinux_address *locals, int count) {
    struct mmsghdr messages[CLINUX_BATCH];
    struct iovec vectors[CLINUX_BATCH];
    struct sockaddr_in6 names[CLINUX_BATCH];
    _Alignas(struct cmsghdr) char controls[CLINUX_BATCH][LOCAL_SPACE];
    if (count > CLINUX_BATCH)
        count = CLINUX_BATCH;
    for (int index = 0; index < count; index++) {
        vectors[index] = (struct iovec){datagrams[index].bytes, datagrams[index].count};
        messages[index].msg_hdr = (struct msghdr){.msg_name = &names[index],
                                                  .msg_namelen = sizeof names[index],
                                                  .msg_iov = &vectors[index],
                                                  .msg_iovlen = 1};
        if (locals) {
            messages[index].msg_hdr.msg_control = controls[index];
            messages[index].msg_hdr.msg_controllen = LOCAL_SPACE;
        }
    }
    int received = recvmmsg(descriptor, messages, (unsigned)count, 0, NULL);
    if (received < 0)
        return -errno;
    for (int index = 0; index < received; index++) {
        clinux_datagram *datagram = &datagrams[index];
        datagram->count = messages[index].msg_len;
        if (locals)
            read_local(&messages[index].msg_hdr, &locals[index]);
        datagram->truncated = (messages[index].msg_hdr.msg_flags & MSG_TRUNC) != 0;
        read_socket_name(&datagram->address, &names[index]);
    }
    return received;
}

int clinux_udp_receive(int descriptor, clinux_datagram *datagrams, int count) {
    return receive(descriptor, datagrams, NULL, count);
}

int clinux_udp_receive_local(int descriptor, clinux_datagram *datagrams, clinux_address *locals,
                             int count) {
    return receive(descriptor, datagrams, locals, count);
}

static int send_batch(int descriptor, const clinux_datagram *datagrams,
                      const clinux_address *locals, int count, int family, int *examined) {
    struct mmsghdr messages[CLINUX_BATCH];
    struct iovec vectors[CLINUX_BATCH];
    struct sockaddr_in6 names[CLINUX_BATCH];
    _Alignas(struct cmsghdr) char controls[CLINUX_BATCH][LOCAL_SPACE];
    int origins[CLINUX_BATCH];
    int chosen = 0;
    int index = 0;
    for (; index < count && chosen < CLINUX_BATCH; index++) {
        const clinux_datagram *datagram = &datagrams[index];
        if (datagram->count == 0 || datagram->address.family != family)
            continue;
        vectors[chosen] = (struct iovec){datagram->bytes, datagram->count};
        messages[chosen].msg_hdr =
            (struct msghdr){.msg_name = &names[chosen],
                            .msg_namelen = socket_name(&names[chosen], &datagram->address),
                            .msg_iov = &vectors[chosen],
                            .msg_iovlen = 1};
        if (locals && locals[index].family == family) {
            messages[chosen].msg_hdr.msg_control = controls[chosen];
            messages[chosen].msg_hdr.msg_controllen = write_local(controls[chosen], &locals[index]);
        }
        origins[chosen++] = index;
    }
    *examined = index;
    if (chosen == 0)
        return 0;
    int sent = sendmmsg(descriptor, messages, (unsigned)chosen, 0);
    if (sent < 0)
        sent = -errno;
    // sendmmsg hides the error that stopped it once something was sent: the next call meets it.
    if (sent < chosen)
        *examined = origins[sent < 0 ? 0 : sent];
    return sent;
}

int clinux_udp_send(int descriptor, const clinux_datagram *datagrams, int count, int family,
                    int *examined) {
    return send_batch(descriptor, datagrams, NULL, count, family, examined);
}

int clinux_udp_send_local(int descriptor, const clinux_datagram *datagrams,
                          const clinux_address *locals, int count, int family, int *examined) {
    return send_batch(descriptor, datagrams, locals, count, family, examined);
}

ssize_t clinux_udp_send_one(int descriptor, const void *bytes, size_t count, clinux_address to) {
    struct sockaddr_in6 name;
    socklen_t size = socket_name(&name, &to);
    return OR_ERRNO(sendto(descriptor, bytes, count, 0, (struct sockaddr *)&name, size));
}

int clinux_tcp_connect(clinux_address local, clinux_address remote, uint32_t mark,
                       const char *device) {
    int domain = remote.family == 4 ? AF_INET : AF_INET6;
    int descriptor = socket(domain, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0)
        return -errno;
    // Where it is refused, the routes decide.
    if (device)
        clinux_bind_to_device(descriptor, device);
    struct sockaddr_in6 name;
    socklen_t size = socket_name(&name, &local);
    int failed = mark && setsockopt(descriptor, SOL_SOCKET, SO_MARK, &mark, sizeof mark) < 0;
    failed = failed ||
             (local.family != 0 && bind(descriptor, (struct sockaddr *)&name, size) < 0);
    if (!failed) {
        size = socket_name(&name, &remote);
        failed = connect(descriptor, (struct sockaddr *)&name, size) < 0 && errno != EINPROGRESS;
    }
    if (!failed)
        return descriptor;
    int error = errno;
    close(descriptor);
    return -error;
}

int clinux_netlink_open(uint32_t groups, int blocking) {
    int descriptor =
        socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | (blocking ? 0 : SOCK_NONBLOCK), NETLINK_ROUTE);
    if (descriptor < 0)
        return -errno;
    struct sockaddr_nl name = {.nl_family = AF_NETLINK, .nl_groups = groups};
    if (bind(descriptor, (struct sockaddr *)&name, sizeof name) < 0) {
        int error = errno;
        close(descriptor);
        return -error;
    }
    // Lets the kernel filter dumps; where it is too old, it sends everything.
    int one = 1;
    setsockopt(descriptor, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one, sizeof one);
    return descriptor;
}

ssize_t clinux_netlink_receive(int descriptor, void *bytes, size_t count) {
    for (;;) {
        struct sockaddr_nl sender;
        socklen_t size = sizeof sender;
        ssize_t received =
            recvfrom(descriptor, bytes, count, MSG_TRUNC, (struct sockaddr *)&sender, &size);
        if (received < 0)
            return -errno;
        // Any process may send to a netlink socket; only the kernel has port 0.
        if (size != sizeof sender || sender.nl_pid != 0)
            continue;
        return (size_t)received > count ? -EMSGSIZE : received;
    }
}

int clinux_receive_timeout(int descriptor, int64_t microseconds) {
    struct timeval timeout = {.tv_sec = microseconds / 1000000, .tv_usec = microseconds % 1000000};
    return OR_ERRNO(setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout));
}

int clinux_network_unshare(void) { return OR_ERRNO(unshare(CLONE_NEWNET)); }

int clinux_link_up(const char *name) {
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0)
        return -errno;
    struct ifreq request = {.ifr_flags = IFF_UP};
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    int result = OR_ERRNO(ioctl(descriptor, SIOCSIFFLAGS, &request));
    close(descriptor);
    return result;
}

int clinux_peer_credentials(int descriptor, uint32_t *uid, uint32_t *gid, int32_t *pid) {
    struct ucred credentials;
    socklen_t size = sizeof credentials;
    if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0)
        return -errno;
    *uid = credentials.uid;
    *gid = credentials.gid;
    *pid = credentials.pid;
    return 0;
}

typedef struct {
    void (*body)(void *);
    void *argument;
    char name[16];
} thread_start;

static void *run(void *opaque) {
    thread_start start = *(thread_start *)opaque;
    free(opaque);
    pthread_setname_np(pthread_self(), start.name);
    start.body(start.argument);
    return NULL;
}

int clinux_thread_start(const char *name, void (*body)(void *), void *argument, uint64_t *thread) {
    thread_start *start = calloc(1, sizeof *start);
    if (!start)
        return -ENOMEM;
    start->body = body;
    start->argument = argument;
    strncpy(start->name, name, sizeof start->name - 1);
    sigset_t all, previous;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    pthread_t created;
    int error = pthread_create(&created, NULL, run, start);
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    if (error) {
        free(start);
        return -error;
    }
    *thread = (uint64_t)created;
    return 0;
}

int clinux_thread_join(uint64_t thread) { return -pthread_join((pthread_t)thread, NULL); }

// Whether the loader may have written to a segment that is not writable: then dropping it would lose what was
// written.
static int has_text_relocations(const struct dl_phdr_info *object) {
    for (int index = 0; index < object->dlpi_phnum; index++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[index];
        if (segment->p_type != PT_DYNAMIC)
            continue;
        const ElfW(Dyn) *entry = (const ElfW(Dyn) *)(object->dlpi_addr + segment->p_vaddr);
        for (; entry->d_tag != DT_NULL; entry++)
            if (entry->d_tag == DT_TEXTREL ||
                (entry->d_tag == DT_FLAGS && (entry->d_un.d_val & DF_TEXTREL)))
                return 1;
    }
    return 0;
}

static int release_segments(struct dl_phdr_info *object, size_t size, void *unused) {
    (void)size, (void)unused;
    if (has_text_relocations(object))
        return 0;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    for (int index = 0; index < object->dlpi_phnum; index++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[index];
        // What nobody can write to is in the file: code and constants.
        if (segment->p_type != PT_LOAD || segment->p_flags & PF_W)
            continue;
        uintptr_t start = object->dlpi_addr + segment->p_vaddr;
        uintptr_t end = (start + segment->p_filesz) & ~(page - 1);
        start = (start + page - 1) & ~(page - 1);
        // Refused where the kernel keeps pages of its own (the vDSO): then they stay.
        if (start < end)
            madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

void clinux_release_code(void) { dl_iterate_phdr(release_segments, NULL); }

void clinux_trim_heap(void) { malloc_trim(0); }

const char *clinux_error_text(int error) { return strerrordesc_np(error); }
