import NetTypes

/// Traps behind two comparisons that chance does not pass: shows that a search finds such a thing.
package let selfTestFuzzTarget = FuzzTarget(name: "self-test") { bytes in
    guard bytes.byteCount >= 9, bytes.bigEndian(at: 0, as: UInt64.self) == 0x706C_616E_7465_6421
    else { return }
    guard bytes.byte(at: 8) == 0x7E else { return }
    fatalError("the planted crash was found")
}
