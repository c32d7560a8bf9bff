import QRCode

/// A text as a picture for cameras: inline, so that nothing has to be loaded. Who cannot see it, or
/// whose text is too long for it, types the key that stands beside it.
func qrCode(_ text: String) -> HTML {
    // Too long a text has no picture.
    guard let code = try? QRCode(text) else { return .empty }
    var path = ""
    for row in 0..<code.size {
        var column = 0
        while column < code.size {
            let start = column
            while column < code.size, code.isDark(column: column, row: row) { column += 1 }
            if column > start { path += "M\(start) \(row)h\(column - start)v1h-\(column - start)z" }
            column += 1
        }
    }
    return """
        <svg class="qr" role="img" aria-label="QR code with the key of the authenticator" viewBox="0 0 \(code.size) \(code.size)" shape-rendering="crispEdges"><path fill="#000" d="\(path)"/></svg>
        """
}
