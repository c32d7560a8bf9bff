import Foundation
import QRCode
import Testing

@Suite struct QRCodeTests {
    private static let decoder = ["/usr/bin/zbarimg", "/usr/local/bin/zbarimg"]
        .first { FileManager.default.isExecutableFile(atPath: $0) }

    /// Every version from the first to the last, its fullest and its emptiest text.
    private static let texts: [String] = {
        let address =
            "otpauth://totp/Skein:anna%40example.org?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=Skein"
        let lengths = [
            1, 14, 15, 26, 27, 42, 62, 84, 106, 122, 152, 180, 213, 251, 287, 331, 362, 412, 450,
            504, 560, 624, 625, 666,
        ]
        let letters = Array(
            "abcdefghijklmnopqrstuvwxyz0123456789 %:/?=&-ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        return [address]
            + lengths.map { length in
                String((0..<length).map { letters[($0 * 7 + length) % letters.count] })
            }
    }()

    @Test("A decoder of others reads every version", .enabled(if: decoder != nil, "no zbarimg"))
    func decoded() throws {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("qr-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for (number, text) in Self.texts.enumerated() {
            let file = folder.appendingPathComponent("\(number).pgm")
            try image(QRCode(text)).write(to: file)
            let process = Process()
            process.executableURL = URL(fileURLWithPath: try #require(Self.decoder))
            process.arguments = ["--quiet", "--raw", file.path]
            let output = Pipe()
            process.standardOutput = output
            try process.run()
            let read = try #require(try output.fileHandleForReading.readToEnd())
            process.waitUntilExit()
            #expect(String(decoding: read, as: UTF8.self) == text + "\n", "\(text.count) bytes")
        }
    }

    /// Four pixels to a module, and a quiet zone.
    private func image(_ code: QRCode) -> Data {
        let side = (code.size + 8) * 4
        var data = Data("P5 \(side) \(side) 255\n".utf8)
        for y in 0..<side {
            for x in 0..<side {
                let (column, row) = (x / 4 - 4, y / 4 - 4)
                let isInside =
                    (0..<code.size).contains(column) && (0..<code.size).contains(row)
                data.append(isInside && code.isDark(column: column, row: row) ? 0 : 255)
            }
        }
        return data
    }

    @Test("A short text has the modules of version 1")
    func fixed() throws {
        let code = try QRCode("A")
        #expect(code.size == 21)
        // The finder in the corner, and the timing pattern beside it.
        let top = (0..<8).map { code.isDark(column: $0, row: 0) }
        #expect(top == [true, true, true, true, true, true, true, false])
        #expect(
            (8..<13).map { code.isDark(column: $0, row: 6) } == [true, false, true, false, true])
        #expect(code.isDark(column: 8, row: 13))
    }

    @Test("What does not fit is refused")
    func tooLong() throws {
        #expect(try QRCode(String(repeating: "x", count: 666)).size == 97)
        #expect(throws: QRCode.Failure.tooLong(bytes: 667)) {
            try QRCode(String(repeating: "x", count: 667))
        }
    }
}
