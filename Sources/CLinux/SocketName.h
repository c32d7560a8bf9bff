// Between addresses of ours and the kernel's.
#ifndef SOCKET_NAME_H
#define SOCKET_NAME_H

#include "CLinux.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static inline socklen_t socket_name(struct sockaddr_in6 *name, const clinux_address *address) {
    if (address->family == 4) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)name;
        *v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(address->port)};
        memcpy(&v4->sin_addr, address->address, 4);
        return sizeof *v4;
    }
    *name = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(address->port)};
    memcpy(&name->sin6_addr, address->address, 16);
    return sizeof *name;
}

static inline void read_socket_name(clinux_address *address, const struct sockaddr_in6 *name) {
    if (name->sin6_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)name;
        address->family = 4;
        address->port = ntohs(v4->sin_port);
        memcpy(address->address, &v4->sin_addr, 4);
    } else {
        address->family = 6;
        address->port = ntohs(name->sin6_port);
        memcpy(address->address, &name->sin6_addr, 16);
    }
}

#endif
