/// One of the node's UDP sockets. Almost everything goes by the main ones, one for each address
/// family; further IPv4 sockets exist only to meet peers through hard NATs. A further one is opened by
/// the driver when the first datagram is to leave by it (`PathTransmit.socket`) and closed when
/// `pollSocketClosure` says so. Numbers are not used again.
package struct LocalSocket: Hashable, Sendable, BitwiseCopyable {
    package let number: UInt32

    package init(number: UInt32) { self.number = number }

    package static var main: Self { Self(number: 0) }
    package var isMain: Bool { number == 0 }
}
