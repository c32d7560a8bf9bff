import Disco
import NetTypes
import STUN

/// How a NAT chooses ports, as far as the answers of a STUN server to some fresh sockets tell.
struct PortEstimate: Equatable {
    var allocation: HardNATMessage.Allocation
    /// Of a sequence: the last port seen, and the step.
    var last: UInt16 = 0
    var step = 0
    /// Where new mappings lie.
    var ports: ClosedRange<UInt16> = HardNATTiming.ports

    /// The port of the `count`th next mapping of a sequence, as long as it is a port.
    func predicted(_ count: Int) -> UInt16? {
        let port = Int(last) + step * count
        return HardNATTiming.ports.contains(UInt16(clamping: port)) && port <= Int(UInt16.max)
            ? UInt16(port) : nil
    }

    /// The ports of the next `count` mappings, or as many others in between.
    func window(_ count: Int) -> ClosedRange<UInt16> {
        let ends = [Int(last) + step, Int(last) + step * count].sorted()
        let lower = min(max(ends[0], 1_024), Int(UInt16.max))
        return UInt16(lower)...UInt16(max(lower, min(ends[1], Int(UInt16.max))))
    }
}

/// The questions of some sockets to one STUN server, sent in one go, and the answers.
struct PortSamples {
    private struct Sample {
        let id: STUNTransactionID
        let socket: LocalSocket
        /// A second question of a socket, to another server.
        let isComparison: Bool
        var localPort: UInt16?
        var mapped: Endpoint?
    }
    private var samples: [Sample] = []

    mutating func noteSent(
        _ id: STUNTransactionID, by socket: LocalSocket, isComparison: Bool = false
    ) {
        samples.append(Sample(id: id, socket: socket, isComparison: isComparison))
    }

    /// Whether one socket was seen by two servers at different endpoints; nil: not known.
    var mappingVaries: Bool? {
        guard let second = samples.first(where: { $0.isComparison && $0.mapped != nil }) else {
            return nil
        }
        let first = samples.first {
            $0.socket == second.socket && !$0.isComparison && $0.mapped != nil
        }
        return first.map { $0.mapped != second.mapped }
    }

    mutating func noteOpened(_ socket: LocalSocket, port: UInt16) {
        for index in samples.indices where samples[index].socket == socket {
            samples[index].localPort = port
        }
    }

    /// Returns whether it answers a question of ours.
    mutating func note(_ response: STUNResponse, by socket: LocalSocket) -> Bool {
        let index = samples.firstIndex { $0.id == response.id && $0.socket == socket }
        guard let index, response.mappedEndpoint.address.isIPv4 else { return false }
        samples[index].mapped = response.mappedEndpoint
        return true
    }

    var isComplete: Bool { unanswered.isEmpty }
    /// Sockets that have had no answer, and whether to the comparison.
    var unanswered: [(socket: LocalSocket, isComparison: Bool)] {
        var result: [(socket: LocalSocket, isComparison: Bool)] = []
        for sample in samples {
            let isSettled = samples.contains {
                $0.socket == sample.socket && $0.isComparison == sample.isComparison
                    && $0.mapped != nil
            }
            let isListed = result.contains {
                $0.socket == sample.socket && $0.isComparison == sample.isComparison
            }
            if !isSettled, !isListed { result.append((sample.socket, sample.isComparison)) }
        }
        return result
    }
    var address: IPAddress? { samples.lazy.compactMap(\.mapped?.address).first }

    /// Nil with fewer than four answers.
    var estimate: PortEstimate? {
        let answered = samples.filter { $0.mapped != nil && !$0.isComparison }
        let ports = answered.compactMap { $0.mapped.map { Int($0.port) } }
        guard ports.count >= 4, let last = ports.last, let least = ports.min(),
            let most = ports.max()
        else { return nil }
        if answered.allSatisfy({ $0.mapped?.port == $0.localPort }) {
            return PortEstimate(allocation: .preserving)
        }
        let steps = zip(ports, ports.dropFirst()).map { $1 - $0 }
        // Others may take ports in between; six random ports are so close together once in 10^15.
        let isRising = steps.allSatisfy { (1...32).contains($0) }
        let isFalling = steps.allSatisfy { (-32 ... -1).contains($0) }
        if isRising || isFalling, let step = steps.min(by: { abs($0) < abs($1) }) {
            return PortEstimate(allocation: .sequential, last: UInt16(last), step: step)
        }
        let spread = most - least + 1
        guard spread <= HardNATTiming.blockMax else { return PortEstimate(allocation: .random) }
        // Blocks have powers of two as sizes; the one that holds the samples lies somewhere in here.
        var size = 64
        while size < spread { size *= 2 }
        let lower = max(most - size + 1, Int(HardNATTiming.ports.lowerBound))
        let upper = min(least + size - 1, Int(UInt16.max))
        return PortEstimate(allocation: .block, ports: UInt16(lower)...UInt16(upper))
    }
}
