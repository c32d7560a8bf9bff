import NetTypes
import PathEngine
import PortMapping
import SimulatedNetwork

// Nodes that ask their router for a port: see `Gateway`.
extension Mesh {
    func askGateway(of index: Int) {
        let node = nodes[index]
        let own = network.addresses(of: node.host).first(where: \.isIPv4)
        guard let gateway = node.gateway, let own else { return }
        node.portMapping.setLinks(
            [
                GatewayLink(
                    gateway: gateway, own: IPPrefix(own, length: 24), port: SimulatedNode.port)
            ], at: now)
    }

    func receivePortMapping(_ payload: [UInt8], from source: Endpoint, on index: Int) {
        nodes[index].wakeUpCount += 1
        unsafe nodes[index].portMapping.receive(payload.span.bytes, from: source, at: now)
        drain(index)
    }

    func drainPortMapping(_ index: Int) {
        let node = nodes[index]
        while let transmit = node.portMapping.pollTransmit() {
            // Simulated routers speak no UPnP.
            guard case .datagram(let bytes, let destination) = transmit else { continue }
            network.send(
                bytes, from: node.host, port: SimulatedNode.mappingPort, to: destination)
        }
        while let event = node.portMapping.pollEvent() {
            switch event {
            case .changed(let status):
                node.paths.setPortMappedEndpoints(status.endpoints, at: now)
            }
        }
    }
}
