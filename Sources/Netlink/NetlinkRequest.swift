package import NetTypes

/// A request to the kernel, built up and then encoded with its sequence number.
package struct NetlinkRequest: Equatable, Sendable {
    package var type: NetlinkType
    package var flags: NetlinkFlags
    /// The fixed header of the type and the attributes.
    package private(set) var payload: [UInt8]

    package init(_ type: NetlinkType, flags: NetlinkFlags, header: [UInt8]) {
        self.type = type
        self.flags = flags.union(.request)
        payload = header
        pad()
    }

    package mutating func append(attribute type: UInt16, _ value: [UInt8]) {
        payload.appendLittleEndian(UInt16(4 + value.count))
        payload.appendLittleEndian(type)
        payload += value
        pad()
    }
    package mutating func append(attribute type: UInt16, number: UInt32) {
        var value: [UInt8] = []
        value.appendLittleEndian(number)
        append(attribute: type, value)
    }
    package mutating func append(attribute type: UInt16, address: IPAddress) {
        append(attribute: type, address.networkBytes)
    }

    package func encoded(sequence: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.appendLittleEndian(UInt32(NetlinkMessage.headerByteCount + payload.count))
        bytes.appendLittleEndian(type.rawValue)
        bytes.appendLittleEndian(flags.rawValue)
        bytes.appendLittleEndian(sequence)
        bytes.appendLittleEndian(0 as UInt32)
        return bytes + payload
    }

    private mutating func pad() {
        while !payload.count.isMultiple(of: 4) { payload.append(0) }
    }
}
