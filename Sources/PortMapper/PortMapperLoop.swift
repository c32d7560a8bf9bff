import CryptoPrimitives
import LinuxIO
import Logging
import NetTypes
import PortMapping
import UDPSocket

/// What the mapper's thread runs.
struct PortMapperLoop: ~Copyable {
    private enum Token {
        static var orders: UInt64 { 0 }
        /// Two for each gateway: requests, announcements.
        static var sockets: UInt64 { 1 }
        /// From here on, the numbers of exchanges.
        static var exchanges: UInt64 { 1 << 32 }
    }
    /// The engine has one for each gateway, and one more that it just gave up.
    private static var exchangesMax: Int { 8 }
    /// Datagram batches taken from one socket before anything else gets its turn.
    private static var batchesMax: Int { 4 }

    private let orders: OrderBox
    private let mark: UInt32
    private let logger: Logger
    private let onChange: @Sendable (PortMappingStatus) -> Void
    private var poller: Poller
    private var engine: PortMappingEngine<SecureRandom>
    private var links: [PortMapper.Link] = []
    private var sockets: [GatewaySocket] = []
    private var exchanges: [GatewayExchange] = []
    private var isStopping = false

    init(
        memory: PortMappingMemory, mark: UInt32, orders: OrderBox, logger: Logger,
        onChange: @escaping @Sendable (PortMappingStatus) -> Void
    ) throws(SystemError) {
        let poller = try Poller()
        try poller.add(orders.wakeup.descriptor, token: Token.orders)
        self.poller = poller
        self.orders = orders
        self.mark = mark
        self.logger = logger
        self.onChange = onChange
        engine = PortMappingEngine(memory: memory, random: SecureRandom())
    }

    mutating func run() throws(SystemError) {
        var batch = PacketBatch(headroom: 0, tailroom: 0)
        while !(isStopping && engine.isReleased) {
            let count = try poller.wait(timeout: engine.nextDeadline.map { $0 - BootClock.now() })
            let now = BootClock.now()
            for index in 0..<count {
                let token = poller[index].token
                if token == Token.orders {
                    takeOrders(at: now)
                } else if token >= Token.exchanges {
                    proceed(Int(token - Token.exchanges), at: now)
                } else {
                    receive(Int(token - Token.sockets), &batch, at: now)
                }
            }
            if let deadline = engine.nextDeadline, deadline <= now {
                engine.handleTimeout(at: now)
            }
            drain(at: now)
        }
    }

    private mutating func takeOrders(at now: MonotonicInstant) {
        let orders = orders.take()
        if let links = orders.links {
            if links != self.links { open(links) }
            engine.setLinks(sockets.map(\.link.link), at: now)
        }
        if let isEnabled = orders.isEnabled { engine.setEnabled(isEnabled, at: now) }
        if orders.isStopping, !isStopping {
            isStopping = true
            engine.release(at: now)
        }
    }

    private mutating func open(_ links: [PortMapper.Link]) {
        self.links = links
        // Their descriptors leave the poller when they are closed.
        sockets = []
        for link in links {
            do {
                let socket = try GatewaySocket(link, mark: mark)
                let token = Token.sockets + UInt64(sockets.count * 2)
                try poller.add(socket.requests.descriptor, token: token)
                if let descriptor = socket.announcementDescriptor {
                    try poller.add(descriptor, token: token + 1)
                }
                sockets.append(socket)
            } catch {
                logger.info(
                    "cannot speak to the gateway",
                    metadata: ["gateway": "\(link.link.gateway)", "reason": "\(error)"])
            }
        }
    }

    private mutating func receive(
        _ number: Int, _ batch: inout PacketBatch, at now: MonotonicInstant
    ) {
        guard number / 2 < sockets.count else { return }
        let socket = sockets[number / 2]
        for _ in 0..<Self.batchesMax {
            do throws(SystemError) {
                let received =
                    number % 2 == 0
                    ? try socket.requests.receive(into: &batch)
                    : try socket.receiveAnnouncements(into: &batch)
                guard received > 0 else { return }
            } catch {
                // Of an earlier datagram of ours; the next call has the next ones.
                return
            }
            for index in 0..<batch.count {
                guard let source = batch.endpoint(at: index) else { continue }
                engine.receive(batch.payload(at: index), from: source, at: now)
            }
        }
    }

    private mutating func proceed(_ id: Int, at now: MonotonicInstant) {
        guard let index = exchanges.firstIndex(where: { $0.id == id }) else { return }
        let exchange = exchanges[index]
        let wasSending = exchange.isSending
        switch exchange.proceed() {
        case .going:
            guard wasSending, !exchange.isSending else { return }
            do throws(SystemError) {
                try poller.update(
                    exchange.descriptor, token: Token.exchanges + UInt64(id), for: .readable)
            } catch {
                exchanges.remove(at: index)
                engine.handleExchange(id: id, nil, at: now)
            }
        case .done(let response):
            exchanges.remove(at: index)
            engine.handleExchange(id: id, response, at: now)
        }
    }

    private mutating func drain(at now: MonotonicInstant) {
        while let transmit = engine.pollTransmit() {
            switch transmit {
            case .datagram(let bytes, let destination): send(bytes, to: destination)
            case .exchange(let id, let gateway, let request):
                start(id, gateway, request, at: now)
            case .abandon(let id): exchanges.removeAll { $0.id == id }
            }
        }
        while let event = engine.pollEvent() {
            switch event {
            case .changed(let status): onChange(status)
            }
        }
    }

    private func send(_ bytes: [UInt8], to destination: Endpoint) {
        let socket = sockets.first {
            $0.link.link.gateway.isIPv4 == destination.address.isIPv4
        }
        do throws(SystemError) {
            try unsafe socket?.requests.send(bytes.span.bytes, to: destination)
        } catch {
            // A link that is just going or coming: the engine asks again by itself.
            logger.debug("not sent to \(destination): \(error)")
        }
    }

    private mutating func start(
        _ id: Int, _ gateway: Endpoint, _ request: [UInt8], at now: MonotonicInstant
    ) {
        let socket = sockets.first { $0.link.link.gateway == gateway.address }
        guard let socket, exchanges.count < Self.exchangesMax else {
            return engine.handleExchange(id: id, nil, at: now)
        }
        do throws(SystemError) {
            let exchange = try GatewayExchange(
                id: id, from: socket.link, mark: mark, to: gateway, request: request)
            try poller.add(
                exchange.descriptor, token: Token.exchanges + UInt64(id), for: .writable)
            exchanges.append(exchange)
        } catch {
            logger.debug("\(error)")
            engine.handleExchange(id: id, nil, at: now)
        }
    }
}
