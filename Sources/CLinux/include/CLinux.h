// What the Glibc module does not show Swift: batched datagrams, control messages, epoll, TUN, netlink.
#ifndef CLINUX_H
#define CLINUX_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Every function returns the result of the system call, or -errno.

/// CLOCK_BOOTTIME in nanoseconds.
uint64_t clinux_boottime(void);
/// CLOCK_MONOTONIC in nanoseconds.
uint64_t clinux_monotonic(void);

int clinux_epoll_create(void);
/// `events` is a mask of CLINUX_READABLE and CLINUX_WRITABLE; 0 removes the descriptor.
#define CLINUX_READABLE 1u
#define CLINUX_WRITABLE 4u
int clinux_epoll_set(int epoll, int descriptor, uint32_t events, uint64_t token, int is_new);
typedef struct {
    uint64_t token;
    uint32_t events;
} clinux_ready;
/// Waits up to `timeout_ns` nanoseconds (negative: for ever); returns how many are ready.
int clinux_epoll_wait(int epoll, clinux_ready *ready, int capacity, int64_t timeout_ns);

int clinux_eventfd(void);
int clinux_eventfd_signal(int descriptor);
int clinux_eventfd_clear(int descriptor);
/// A descriptor that becomes readable when the civil clock jumps, as it does after a suspension.
/// `rearm` makes it wait for the next time.
int clinux_clock_watch_open(void);
int clinux_clock_watch_rearm(int descriptor);
int clinux_close(int descriptor);
ssize_t clinux_read(int descriptor, void *bytes, size_t count);
ssize_t clinux_write(int descriptor, const void *bytes, size_t count);

/// Opens a TUN interface, non-blocking, with a `struct virtio_net_hdr` before each packet. `name` (16
/// bytes) is read as a wish and overwritten with what the kernel chose. The kernel keeps up to
/// CLINUX_TUN_QUEUE packets for us: what a flood brings in the 10 ms that a busy machine may let us wait.
#define CLINUX_TUN_QUEUE 4096
int clinux_tun_open(char name[16]);
/// What the kernel may hand over unfinished; fails as a whole where it does not know one of them.
#define CLINUX_TUN_CHECKSUM 0x01u
#define CLINUX_TUN_TCP 0x06u
#define CLINUX_TUN_UDP 0x60u
int clinux_tun_offload(int descriptor, unsigned flags);
/// Pieces that are written as one packet.
typedef struct {
    const void *bytes;
    size_t count;
} clinux_piece;
ssize_t clinux_write_pieces(int descriptor, const clinux_piece *pieces, int count);

/// The address of a datagram. `family` is 4 or 6; IPv4 uses the first four bytes.
typedef struct {
    uint8_t family;
    uint8_t padding;
    uint16_t port;
    uint8_t address[16];
} clinux_address;

/// One datagram of a batch: for receiving, `count` is the capacity before and the length after;
/// a datagram that did not fit has `truncated` set.
typedef struct {
    void *bytes;
    uint32_t count;
    uint32_t truncated;
    clinux_address address;
} clinux_datagram;

/// A bound, non-blocking UDP socket of family 4 or 6 (IPv6 only). Port 0 lets the kernel choose.
/// `mark` 0 sets none. Buffers of `buffer_bytes` are asked for, by force where privileged.
int clinux_udp_open(int family, uint16_t port, uint32_t mark, int buffer_bytes);
/// The same, bound to one local address.
int clinux_udp_open_at(clinux_address local, uint32_t mark, int buffer_bytes);
int clinux_socket_port(int descriptor);
/// At most CLINUX_BATCH at once; returns how many were received or sent.
#define CLINUX_BATCH 64
int clinux_udp_receive(int descriptor, clinux_datagram *datagrams, int count);
/// Sends the datagrams whose family is `family` and whose count is not 0; those before `*examined`
/// are sent or skipped. On an error `*examined` is the index of the datagram that met it.
int clinux_udp_send(int descriptor, const clinux_datagram *datagrams, int count, int family,
                    int *examined);
/// Makes the socket tell which local address each datagram was sent to.
int clinux_udp_want_local(int descriptor, int family);
/// The same as above with the local address of each datagram, whose port is not used: where it was
/// sent to (family 0 where that is not known), and where to send it from (family 0: the kernel's
/// choice).
int clinux_udp_receive_local(int descriptor, clinux_datagram *datagrams, clinux_address *locals,
                             int count);
int clinux_udp_send_local(int descriptor, const clinux_datagram *datagrams,
                          const clinux_address *locals, int count, int family, int *examined);
/// Sends and receives by one interface only. Some systems refuse it to the unprivileged.
int clinux_bind_to_device(int descriptor, const char *name);
/// Begins a TCP connection, non-blocking, from the address of `local` (family 0: any) by the interface
/// `device` (may be null). Writable when it is made or has failed.
int clinux_tcp_connect(clinux_address local, clinux_address remote, uint32_t mark,
                       const char *device);
ssize_t clinux_udp_send_one(int descriptor, const void *bytes, size_t count, clinux_address to);

/// Datagrams of one sender or receiver that lie one behind the other: each has `segment` bytes, the last
/// may have fewer. For receiving, `count` is the capacity before and the length of all after.
typedef struct {
    void *bytes;
    uint32_t count;
    uint16_t segment;
    /// The two ECN bits of the IP header.
    uint8_t ecn;
    uint8_t truncated;
    clinux_address address;
} clinux_train;

/// Makes the socket tell ECN, and join datagrams of one sender where the kernel can: then 1, else 0.
int clinux_udp_want_trains(int descriptor, int family);
/// Whether the kernel cuts trains into datagrams.
int clinux_udp_can_segment(int descriptor);
/// At most CLINUX_TRAINS at once; returns how many were received.
#define CLINUX_TRAINS 16
int clinux_udp_receive_trains(int descriptor, clinux_train *trains, int count);

/// What became of trains that were to be sent, in datagrams.
typedef struct {
    uint32_t sent;
    uint32_t refused;
    /// Not sent because the socket's buffer was full.
    uint32_t left;
    /// Why the last of the refused ones was.
    int32_t last_error;
} clinux_sent;
/// Sends the trains whose family is `family` and whose count is not 0. `*segmenting` says whether the kernel
/// may cut them, and is set to 0 when it turns out that it can't: then they go as single datagrams.
clinux_sent clinux_udp_send_trains(int descriptor, const clinux_train *trains, int count, int family,
                                   int *segmenting);

/// Gives whole pages within the bytes back; they read as zeros when next used.
void clinux_release_pages(void *bytes, size_t count);

/// A netlink route socket (rtnetlink(7)) subscribed to the multicast groups in `groups`.
int clinux_netlink_open(uint32_t groups, int blocking);
/// One datagram of the kernel, -EMSGSIZE when it is larger than `count`. Others' are skipped.
ssize_t clinux_netlink_receive(int descriptor, void *bytes, size_t count);
int clinux_receive_timeout(int descriptor, int64_t microseconds);

/// Moves the calling thread into a new network namespace.
int clinux_network_unshare(void);
int clinux_link_up(const char *name);

/// Credentials of the process at the other end of a Unix socket.
int clinux_peer_credentials(int descriptor, uint32_t *uid, uint32_t *gid, int32_t *pid);

/// Starts a joinable thread with all signals blocked; returns 0 or -errno.
int clinux_thread_start(const char *name, void (*body)(void *), void *argument, uint64_t *thread);
int clinux_thread_join(uint64_t thread);

/// Unmaps the pages of code and constants, of this program and its libraries. The kernel maps them again
/// when they are next used, out of its cache of the file.
void clinux_release_code(void);

/// Returns free pages of the heap.
void clinux_trim_heap(void);

const char *clinux_error_text(int error);

#endif
