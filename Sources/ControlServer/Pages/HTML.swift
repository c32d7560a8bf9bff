import ControlTransport
import CryptoPrimitives
import NetTypes

/// A piece of HTML. In an interpolation texts are escaped and pieces are taken as they are, so that a
/// page cannot forget to escape: the compiler tells the two apart, and nothing has to be read or
/// parsed when the server starts.
struct HTML: ExpressibleByStringInterpolation, Equatable, Sendable {
    var text: String

    init(stringLiteral value: String) { text = value }
    init(stringInterpolation: StringInterpolation) { text = stringInterpolation.text }
    init(escaping text: String) { self.text = escapedHTML(text) }
    init(_ pieces: [HTML]) { text = pieces.map(\.text).joined(separator: "\n") }

    static var empty: HTML { HTML(stringLiteral: "") }

    struct StringInterpolation: StringInterpolationProtocol {
        var text = ""
        init(literalCapacity: Int, interpolationCount: Int) {}
        mutating func appendLiteral(_ literal: String) { text += literal }
        mutating func appendInterpolation(_ value: String) { text += escapedHTML(value) }
        mutating func appendInterpolation(_ value: HTML) { text += value.text }
        mutating func appendInterpolation(_ values: [HTML]) { text += HTML(values).text }
        mutating func appendInterpolation(_ value: Int) { text += String(value) }
    }
}

/// Text that is safe inside HTML.
func escapedHTML(_ text: String) -> String {
    var result = ""
    for character in text.unicodeScalars {
        switch character {
        case "&": result += "&amp;"
        case "<": result += "&lt;"
        case ">": result += "&gt;"
        case "\"": result += "&quot;"
        case "'": result += "&#39;"
        default: result.unicodeScalars.append(character)
        }
    }
    return result
}

/// A page in the one style that all of them have.
func htmlPage(
    title: String, navigation: HTML = .empty, body: HTML, needsScript: Bool = false
) -> String {
    let script = needsScript ? "<script>\(PageScript.text)</script>" : ""
    let page: HTML = """
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="robots" content="noindex">
        <title>\(title) – Skein</title>
        <style>\(HTML(stringLiteral: pageStyle))</style>
        </head>
        <body>
        \(navigation)
        <main>
        <h1>\(title)</h1>
        \(body)
        </main>
        \(HTML(stringLiteral: script))
        </body>
        </html>

        """
    return page.text
}

/// Nothing is loaded, and nothing runs but our script where a page needs it: only the one style is applied,
/// and forms go nowhere else.
func pageSecurityPolicy(needsScript: Bool) -> String {
    let script = needsScript ? "script-src 'sha256-\(PageScript.hash)'; " : ""
    return "default-src 'none'; style-src 'sha256-\(pageStyleHash)'; \(script)base-uri 'none'; "
        + "form-action 'self'; frame-ancestors 'none'"
}

/// The same for a page whose one form goes to another site, and on from there to any over TLS: browsers ask
/// the policy at each redirect of the form, too.
func pageSecurityPolicy(formsTo url: String) -> String {
    let scheme = url.hasPrefix("https://") ? "https://" : "http://"
    let host = url.dropFirst(scheme.count).prefix { character in
        character.isASCII
            && (character.isLetter || character.isNumber || "-.:[]".contains(character))
    }
    return pageSecurityPolicy(needsScript: false).replacing(
        "form-action 'self'", with: "form-action https: \(scheme)\(host)")
}

private let pageStyleHash: String = {
    let bytes = Array(pageStyle.utf8)
    return Base64.encode(SHA256.hash(bytes.span.bytes).array)
}()

private let pageStyle = """
    :root{color-scheme:light dark;--text:#1a1f24;--back:#fff;--soft:#eef1f4;--line:#767f88;--act:#0b5cad;--on:#fff;--bad:#a4161a}
    @media(prefers-color-scheme:dark){:root{--text:#e6e9ec;--back:#14181c;--soft:#232a31;--line:#8a949e;--act:#7db8ee;--on:#0c1014;--bad:#ff9a9a}}
    *{box-sizing:border-box}[hidden]{display:none!important}
    body{font:1.0625rem/1.5 system-ui,sans-serif;margin:0;padding:1.5rem 1rem 3rem;color:var(--text);background:var(--back);overflow-wrap:anywhere}
    main,nav{max-width:42rem;margin:0 auto}
    nav{margin-bottom:1.5rem;display:flex;flex-wrap:wrap;gap:.25rem 1rem;align-items:center}
    nav form{margin-left:auto}
    h1{font-size:1.5rem;line-height:1.25}h2{font-size:1.2rem;margin:2rem 0 .5rem}
    a{color:var(--act)}
    pre,.box{padding:1rem;overflow-x:auto;background:var(--soft);border-radius:.5rem}
    code{font:1rem ui-monospace,monospace}
    dt{font-weight:600}dd{margin:0 0 .75rem}
    label{display:block;margin:.75rem 0 .25rem;font-weight:600}
    input,select{font:inherit;color:inherit;background:var(--back);border:1px solid var(--line);border-radius:.375rem;padding:.5rem .625rem;width:100%;max-width:24rem}
    button,a.button{font:inherit;font-weight:600;color:var(--on);background:var(--act);border:1px solid var(--act);border-radius:.375rem;padding:.5rem 1rem;margin:.75rem .5rem 0 0;cursor:pointer}
    a.button{display:inline-block;text-decoration:none;margin-top:0}
    button.plain{color:var(--act);background:transparent}button.grave{color:var(--bad);background:transparent;border-color:var(--bad)}
    :focus-visible{outline:3px solid var(--act);outline-offset:2px}
    .error{border-left:.25rem solid var(--bad);padding:.5rem .75rem;background:var(--soft)}
    .item{border-top:1px solid var(--line);padding:.75rem 0}.item p{margin:.25rem 0}
    .item form,.row{display:inline-block;vertical-align:bottom;margin-right:.5rem}
    .quiet{color:inherit;opacity:.8}
    ol.codes{columns:2;padding-left:3rem;font:1.125rem ui-monospace,monospace}
    svg.qr{display:block;width:14rem;height:14rem;background:#fff;padding:.75rem;border-radius:.5rem}
    summary{cursor:pointer}
    """
