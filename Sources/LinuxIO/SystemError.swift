internal import CLinux

/// A system call that failed.
package struct SystemError: Error, Equatable, Sendable {
    /// What was tried, in a few words: `bind`, `add route 100.64.0.2/32`.
    package var operation: String
    /// The value of `errno`.
    package var code: Int32

    package init(_ operation: String, code: Int32) {
        self.operation = operation
        self.code = code
    }

    // The numbers of Linux on every architecture we build for.
    package static var notPermitted: Int32 { 1 }
    package static var noEntry: Int32 { 2 }
    package static var interrupted: Int32 { 4 }
    package static var inputOutput: Int32 { 5 }
    package static var noDeviceOrAddress: Int32 { 6 }
    package static var noProcess: Int32 { 3 }
    package static var wouldBlock: Int32 { 11 }
    package static var tryAgain: Int32 { 11 }
    package static var accessDenied: Int32 { 13 }
    package static var busy: Int32 { 16 }
    package static var exists: Int32 { 17 }
    package static var noDevice: Int32 { 19 }
    package static var invalidArgument: Int32 { 22 }
    package static var badMessage: Int32 { 74 }
    package static var badDescriptorState: Int32 { 77 }
    package static var notSupported: Int32 { 95 }
    package static var familyUnsupported: Int32 { 97 }
    package static var addressInUse: Int32 { 98 }
    package static var addressUnavailable: Int32 { 99 }
    package static var networkUnreachable: Int32 { 101 }
    package static var noBuffers: Int32 { 105 }

    /// What `strerror` says, in English whatever the locale: `Permission denied`.
    package var text: String {
        guard let text = unsafe clinux_error_text(code) else { return "error \(code)" }
        return unsafe String(cString: text)
    }
}

extension SystemError: CustomStringConvertible {
    package var description: String { "\(operation): \(text)" }
}

/// `result` when it is not negative, otherwise the error it carries: helpers of CLinux return the
/// result of the system call, or `-errno`.
package func check<Result: SignedInteger>(
    _ operation: @autoclosure () -> String, _ result: Result
) throws(SystemError) -> Result {
    guard result < 0 else { return result }
    throw SystemError(operation(), code: Int32(-result))
}
