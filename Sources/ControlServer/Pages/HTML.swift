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

/// A page in the one style that all of them have. `body` is HTML, `title` is text.
func htmlPage(title: String, body: String) -> String {
    """
    <!doctype html>
    <html lang="en">
    <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="robots" content="noindex">
    <title>\(escapedHTML(title)) – Skein</title>
    <style>\(pageStyle)</style>
    </head>
    <body>
    <main>
    <h1>\(escapedHTML(title))</h1>
    \(body)
    </main>
    </body>
    </html>

    """
}

/// Nothing is loaded and nothing runs: only the style written above.
let pageSecurityPolicy =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

private let pageStyle = """
    :root{color-scheme:light dark}
    body{font:1.0625rem/1.5 system-ui,sans-serif;margin:0;padding:2rem 1rem;color:#1a1f24;background:#fff}
    main{max-width:42rem;margin:0 auto}
    h1{font-size:1.5rem;line-height:1.25}
    pre{padding:1rem;overflow-x:auto;background:#eef1f4;border-radius:.5rem}
    code{font:1rem ui-monospace,monospace}
    dt{font-weight:600}dd{margin:0 0 .75rem}
    @media(prefers-color-scheme:dark){body{color:#e6e9ec;background:#14181c}pre{background:#232a31}}
    """
