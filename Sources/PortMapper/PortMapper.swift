package import LinuxIO
package import Logging
package import PortMapping
internal import Synchronization

/// Keeps this node's UDP port mapped at the gateways: a thread that owns a `PortMappingEngine` and the
/// sockets to speak to them. It sleeps unless something is to be said or heard.
package final class PortMapper: Sendable {
    /// A gateway and the interface that leads to it.
    package struct Link: Hashable, Sendable {
        package var interface: String
        package var link: GatewayLink

        package init(interface: String, link: GatewayLink) {
            self.interface = interface
            self.link = link
        }
    }

    struct Orders: Sendable {
        var links: [Link]?
        var isEnabled: Bool?
        var isStopping = false
    }

    private let orders: OrderBox
    private let thread: Mutex<RunningThread?>

    /// Starts the thread. `mark` keeps its packets out of the tunnel (`SocketMark`), 0 sets none.
    /// `onChange` is called on the thread after each change: take it and return.
    package init(
        memory: PortMappingMemory, mark: UInt32, logger: Logger,
        onChange: @escaping @Sendable (PortMappingStatus) -> Void
    ) throws(SystemError) {
        let orders = try OrderBox()
        self.orders = orders
        let running = try startThread(name: "port-mapper") {
            do throws(SystemError) {
                var loop = try PortMapperLoop(
                    memory: memory, mark: mark, orders: orders, logger: logger, onChange: onChange)
                try loop.run()
            } catch {
                logger.error("ports are not mapped any more: \(error)")
            }
        }
        thread = Mutex(running)
    }

    /// The gateways to ask; call it after each change of the network, whether they changed or not.
    package func setLinks(_ links: [Link]) { orders.put { $0.links = links } }

    /// Off: what is mapped is removed, and no gateway is asked.
    package func setEnabled(_ isEnabled: Bool) { orders.put { $0.isEnabled = isEnabled } }

    /// Begins to remove what is mapped.
    package func beginStopping() { orders.put { $0.isStopping = true } }

    /// Removes what is mapped and ends the thread, in little more than a second.
    package func stop() {
        beginStopping()
        let running = thread.withLock { $0.take() }
        if let running { running.join() }
    }
}

/// What other threads want of the mapper's.
final class OrderBox: Sendable {
    let wakeup: Wakeup
    private let orders = Mutex(PortMapper.Orders())

    init() throws(SystemError) { wakeup = try Wakeup() }

    func put(_ body: (inout PortMapper.Orders) -> Void) {
        orders.withLock { body(&$0) }
        wakeup.signal()
    }

    func take() -> PortMapper.Orders {
        wakeup.clear()
        return orders.withLock { orders in
            let taken = orders
            orders = PortMapper.Orders(isStopping: taken.isStopping)
            return taken
        }
    }
}
