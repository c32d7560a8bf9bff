import LocalAPI
import NetTypes

/// Finds machines by what people call them.
enum PeerName {
    /// A machine by its address, its full name, or the first label of its name or host name.
    /// `own` says that it is this one.
    static func find(
        _ text: String, in status: Status
    ) throws -> (peer: PeerStatus, own: Bool) {
        let all =
            [(status.own, true)]
            + status.peers.sorted { $0.key < $1.key }.map { ($0.value, false) }
        if let address = IPAddress(text) {
            guard let found = all.first(where: { $0.0.addresses.contains(address) }) else {
                throw Failure("no machine of the network has the address \(address)")
            }
            return found
        }
        let wanted = text.lowercased()
        let found = all.filter { names(of: $0.0).contains(wanted) }
        guard let first = found.first else {
            throw Failure("no machine is called \(text); 'skein status' lists them")
        }
        guard found.count == 1 else {
            let addresses = found.compactMap { $0.0.addresses.first?.description }
            throw Failure(
                "\(text) is the name of several machines; use one of the addresses "
                    + addresses.joined(separator: ", "))
        }
        return first
    }

    private static func names(of peer: PeerStatus) -> Set<String> {
        let full = peer.dnsName.lowercased()
        let names: Set = [
            full, full.hasSuffix(".") ? String(full.dropLast()) : full,
            String(full.prefix { $0 != "." }), peer.hostName.lowercased(),
        ]
        return names.subtracting([""])
    }
}
