import Foundation
import NetTypes
import PortMappingMessages
import Testing

@Suite("UPnP texts") struct GatewayTextTests {
    private let location = HTTPLocation("http://192.168.1.1:5000/gate/desc.xml?x=1")!

    @Test("A gateway's answer to a search is read whatever the case and order of its lines")
    func search() throws {
        let text = """
            HTTP/1.1 200 OK\r
            Cache-Control: max-age=120\r
            ST: urn:schemas-upnp-org:device:InternetGatewayDevice:2\r
            Location:  http://192.168.1.1:41233/rootDesc.xml\r
            \r\n
            """
        let response = try ssdp(text)
        #expect(response.location == HTTPLocation("http://192.168.1.1:41233/rootDesc.xml"))
    }

    @Test(
        "Answers of other devices, without a place, or in another form are errors",
        arguments: [
            "HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:MediaServer:1\r\nLOCATION: http://192.168.1.1/\r\n",
            "HTTP/1.1 200 OK\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n",
            "HTTP/1.1 404 No\r\nST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\nLOCATION: http://192.168.1.1/\r\n",
            "HTTP/1.1 200 OK\r\nST: x:InternetGatewayDevice:1\r\nLOCATION: https://192.168.1.1/\r\n",
            "HTTP/1.1 200 OK\r\nST: x:InternetGatewayDevice:1\r\nLOCATION: http://router.local/\r\n",
            "",
        ])
    func badSearch(_ text: String) {
        #expect(throws: PortMappingParseError.self) { try ssdp(text) }
    }

    @Test("Locations are addresses, ports and paths, and nothing else")
    func locations() {
        #expect(HTTPLocation("http://192.168.1.1")?.path == "/")
        #expect(HTTPLocation("HTTP://192.168.1.1:80/a")?.port == 80)
        #expect(HTTPLocation("http://[fe80::1]:5000/a")?.host == IPAddress("fe80::1"))
        let bad = [
            "http://192.168.1.1:0/", "http://user@192.168.1.1/", "http://192.168.1.1:99999/",
            "http://192.168.1.1/a b", "http://192.168.1.1/\r\nX: y", "ftp://192.168.1.1/",
            "http://192.168.1.1/#a", "http://" + String(repeating: "1", count: 600),
        ]
        for text in bad { #expect(HTTPLocation(text) == nil, "\(text)") }
    }

    @Test("References resolve on the same host only")
    func references() {
        #expect(location.resolving("/ctl")?.path == "/ctl")
        #expect(location.resolving("ctl")?.path == "/gate/ctl")
        #expect(location.resolving("http://192.168.1.1:80/ctl")?.port == 80)
        #expect(location.resolving("http://192.168.1.2:5000/ctl") == nil)
        #expect(location.resolving("//192.168.1.2/ctl") == nil)
        #expect(location.resolving("") == nil)
    }

    @Test("A description yields the services that open ports, best first")
    func description() throws {
        let text = """
            <?xml version="1.0"?><!-- a gateway -->
            <root xmlns="urn:schemas-upnp-org:device-1-0"><device>
            <serviceList><service><serviceType>urn:schemas-upnp-org:service:Layer3Forwarding:1</serviceType>
            <controlURL>/ctl/L3F</controlURL></service></serviceList>
            <x:deviceList a='>'><device/><device><service>
            <serviceType>urn:schemas-upnp-org:service:WANPPPConnection:1</serviceType><controlURL>ppp</controlURL>
            </service><service>
            <controlURL> /ctl/IP&amp;Conn </controlURL>
            <serviceType>urn:schemas-upnp-org:service:WANIPConnection:2</serviceType>
            </service><service>
            <serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>
            <controlURL>http://10.0.0.1/elsewhere</controlURL></service></device></x:deviceList></device></root>
            """
        let description = try GatewayDescription(parsing: Array(text.utf8), at: location)
        #expect(description.services.map(\.kind) == [.wanIPConnection2, .wanPPPConnection1])
        #expect(description.services.map(\.control.path) == ["/ctl/IP&Conn", "/gate/ppp"])
    }

    @Test(
        "Documents that are not well formed, or dangerous to read, are errors",
        arguments: [
            "<a><b></a></b>", "<a>", "</a>", "<a", "<a b='", "<>",
            "<!DOCTYPE x [<!ENTITY a 'b'>]><a/>",
            "<a><![CDATA[x]]></a>", "<!-- ", "<a<b>", String(repeating: "<a>", count: 40),
            String(repeating: "<a></a>", count: 9000),
            String(repeating: "x", count: 70_000), "<" + String(repeating: "n", count: 100) + "/>",
        ])
    func badDescription(_ text: String) {
        #expect(throws: PortMappingParseError.self) {
            try GatewayDescription(parsing: Array(text.utf8), at: location)
        }
    }

    @Test("Answers to calls give values, faults their number")
    func answers() throws {
        let good = try soap(
            200,
            "<u:XResponse><NewExternalIPAddress>203.0.113.7</NewExternalIPAddress></u:XResponse>")
        #expect(good.errorCode == nil)
        #expect(good["NewExternalIPAddress"] == "203.0.113.7")
        let fault = try soap(
            500,
            "<s:Fault><detail><UPnPError><errorCode>718</errorCode></UPnPError></detail></s:Fault>")
        #expect(fault.errorCode == 718)
        #expect(try soap(200, "<Fault/>").errorCode == 501)
        #expect(try soap(200, "<a>70000</a>").number("a", in: 1...65_535) == nil)
        #expect(try soap(200, "<a>-1</a>").number("a", in: 1...65_535) == nil)
        #expect(throws: PortMappingParseError.malformed) { try soap(302, "") }
        #expect(throws: PortMappingParseError.malformed) {
            try SOAPResponse(parsing: HTTPResponse(status: 200, body: Array("<a/>".utf8)))
        }
    }

    @Test("A call says all that the service wants, in the order of the standard")
    func call() {
        let service = GatewayDescription.Service(kind: .wanIPConnection1, control: location)
        let request = GatewayAction.addPortMapping(
            external: 5000, internal: Endpoint("192.168.1.10:41641")!, lifetime: 7200
        ).request(to: service)
        let text = String(decoding: request, as: UTF8.self)
        #expect(text.hasPrefix("POST /gate/desc.xml?x=1 HTTP/1.1\r\nHost: 192.168.1.1:5000\r\n"))
        #expect(
            text.contains(
                "SOAPAction: \"urn:schemas-upnp-org:service:WANIPConnection:1#AddPortMapping\"\r\n")
        )
        let names = [
            "NewRemoteHost", "NewExternalPort", "NewProtocol", "NewInternalPort",
            "NewInternalClient", "NewEnabled", "NewPortMappingDescription", "NewLeaseDuration",
        ]
        let places = names.compactMap { text.range(of: "<\($0)>")?.lowerBound }
        #expect(places.count == names.count && places == places.sorted())
        let body = text.components(separatedBy: "\r\n\r\n").last ?? ""
        #expect(text.contains("Content-Length: \(body.utf8.count)\r\n"))
    }

    private func ssdp(_ text: String) throws -> SSDPResponse {
        let bytes = Array(text.utf8)
        return try SSDPResponse(parsing: bytes.span.bytes)
    }
    private func soap(_ status: Int, _ body: String) throws -> SOAPResponse {
        let text = "<s:Envelope><s:Body>\(body)</s:Body></s:Envelope>"
        return try SOAPResponse(parsing: HTTPResponse(status: status, body: Array(text.utf8)))
    }
}

@Suite("HTTP responses") struct HTTPResponseTests {
    private let plain = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    private let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n"

    @Test("A response is complete after its last byte, wherever it is cut")
    func cuts() {
        for text in [plain, chunked] {
            let bytes = Array(text.utf8)
            for cut in 0..<bytes.count {
                var reader = HTTPResponseReader()
                let first = feed(&reader, bytes[..<cut])
                #expect(first == .incomplete, "\(cut)")
                let second = feed(&reader, bytes[cut...])
                #expect(second == .complete(HTTPResponse(status: 200, body: Array("hello".utf8))))
            }
        }
    }

    @Test("Without a length the end of the connection ends it")
    func untilClosed() {
        var reader = HTTPResponseReader()
        let first = feed(&reader, Array("HTTP/1.0 500 X\r\n\r\nab".utf8)[...])
        #expect(first == .incomplete)
        let last = reader.finish()
        #expect(last == .complete(HTTPResponse(status: 500, body: Array("ab".utf8))))
    }

    @Test("What is cut short, endless or no HTTP is malformed")
    func malformed() {
        let bad = [
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", "HTTP/1.1 200", "SSH-2.0-x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFF\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n",
        ]
        for text in bad {
            var reader = HTTPResponseReader()
            var progress = feed(&reader, Array(text.utf8)[...])
            if progress == .incomplete { progress = reader.finish() }
            #expect(progress == .malformed, "\(text)")
        }
        var reader = HTTPResponseReader()
        var progress = HTTPResponseReader.Progress.incomplete
        var count = 0
        while progress == .incomplete, count < 1000 {
            progress = feed(&reader, [UInt8](repeating: 0x41, count: 1024)[...])
            count += 1
        }
        #expect(progress == .malformed)
        #expect(count < 10)
    }

    private func feed(
        _ reader: inout HTTPResponseReader, _ bytes: ArraySlice<UInt8>
    ) -> HTTPResponseReader.Progress {
        reader.append(Array(bytes).span.bytes)
    }
}
