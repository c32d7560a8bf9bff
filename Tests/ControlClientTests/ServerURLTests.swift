import Testing

@testable import ControlClient

@Suite struct ServerURLTests {
    @Test(
        "URLs are read as people write them",
        arguments: [
            ("https://mesh.example.org", "https://mesh.example.org", "mesh.example.org:443"),
            ("https://Mesh.Example.org/", "https://mesh.example.org", "mesh.example.org:443"),
            ("mesh.example.org", "https://mesh.example.org", "mesh.example.org:443"),
            ("mesh:8443", "https://mesh:8443", "mesh:8443"),
            ("HTTP://10.0.0.1:8080", "http://10.0.0.1:8080", "10.0.0.1:8080"),
            ("http://localhost:80", "http://localhost", "localhost:80"),
            ("http://[2001:db8::1]:8080", "http://[2001:db8::1]:8080", "[2001:db8::1]:8080"),
            ("https://[2001:db8::1]", "https://[2001:db8::1]", "[2001:db8::1]:443"),
        ])
    func accepted(text: String, shown: String, authority: String) throws {
        let url = try ServerURL(text)
        #expect("\(url)" == shown)
        #expect(url.authority == authority)
    }

    @Test(
        "What is no URL of a server is refused with the reason",
        arguments: [
            ("", ServerURL.ParseError.empty),
            ("ftp://mesh", .unsupportedScheme("ftp")),
            ("https://", .missingHost),
            ("https://mesh/admin", .unexpectedPart("/admin")),
            ("https://user@mesh", .unexpectedPart("@mesh")),
            ("https://mesh:0", .invalidPort("0")),
            ("https://mesh:70000", .invalidPort("70000")),
            ("https://me sh", .invalidHost("me sh")),
            ("https://[::g]", .invalidHost("::g")),
        ])
    func refused(text: String, reason: ServerURL.ParseError) {
        #expect(throws: reason) { _ = try ServerURL(text) }
    }
}
