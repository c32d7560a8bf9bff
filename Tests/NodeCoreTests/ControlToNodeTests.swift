import ControlMessages
import NodeCore
import Testing

@Suite("control to node")
struct ControlToNodeTests {
    private let answers = ControlToNodeAnswers(
        health: ["no relay"], map: Array("{\"Domain\":\"mesh\"}".utf8))

    private func ask(_ text: String) throws -> ControlToNodeResponse {
        answers.answer(to: try ControlToNodeRequest(parsing: Array(text.utf8)))
    }

    @Test("Requests are read as Go and as others write them")
    func parsing() throws {
        for newline in ["\r\n", "\n"] {
            let text = ["POST /echo?a=b HTTP/1.1", "Host: x", "", "hi\n\nthere"]
                .joined(separator: newline)
            let request = try ControlToNodeRequest(parsing: Array(text.utf8))
            #expect(request.method == "POST" && request.path == "/echo")
            #expect(request.body == Array(["hi\n\nthere"].joined().utf8))
        }
    }

    @Test(
        "What is no request is refused",
        arguments: [
            "", "GET", "GET / HTTP/1.1", "GET / HTTP/1.1\r\n", "GET  / HTTP/1.1\r\n\r\n",
            "GET x HTTP/1.1\r\n\r\n", "GET / SMTP\r\n\r\n", "\r\n\r\n",
            "G\u{7}T / HTTP/1.1\r\n\r\n",
        ])
    func refusals(text: String) {
        #expect(throws: ControlToNodeRequest.ParseError.self) { try ask(text) }
    }

    @Test("A head without end is not searched for ever")
    func endlessHead() {
        let text = "GET / HTTP/1.1\r\n" + String(repeating: "a: b\r\n", count: 10_000) + "\r\n"
        #expect(throws: ControlToNodeRequest.ParseError.noHead) { try ask(text) }
    }

    @Test("The answers have the shapes that servers know")
    func answersInShape() throws {
        let echo = try ask("POST /echo HTTP/1.1\r\n\r\nping")
        #expect(
            String(decoding: echo.bytes, as: UTF8.self)
                == "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\n"
                + "Content-Length: 4\r\n\r\nping")
        let flush = try ask("POST /logtail/flush HTTP/1.1\r\n\r\n")
        #expect(String(decoding: flush.bytes, as: UTF8.self) == "HTTP/1.1 204 No Content\r\n\r\n")
        for (path, member) in [
            ("/update", "Supported"), ("/vip-services", "VIPServices"),
            ("/ssh/usernames", "Usernames"), ("/posture/identity", "PostureDisabled"),
            ("/debug/health", "Warnings"), ("/debug/netmap", "current"),
        ] {
            let answer = try ask("GET \(path) HTTP/1.1\r\n\r\n")
            #expect(answer.status == 200)
            let object = try JSON(parsing: answer.body).object
            #expect(object?[member] != nil, "\(path)")
        }
        #expect(try ask("GET /none HTTP/1.1\r\n\r\n").status == 400)
        #expect(try ask("DELETE /echo HTTP/1.1\r\n\r\n").status == 405)
    }
}
