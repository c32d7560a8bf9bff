/// A point in civil time (UTC): what certificates, key expiry and TAI64N speak of.
///
/// The zero value is year 1 (`0001-01-01T00:00:00Z`), which the control protocol uses for "never".
public struct Timestamp: Hashable, Comparable, Sendable {
    /// Seconds since 1970-01-01T00:00:00Z.
    public var unixSeconds: Int64
    /// 0 ..< 1_000_000_000.
    public var nanoseconds: UInt32

    public init(unixSeconds: Int64, nanoseconds: UInt32 = 0) {
        precondition(nanoseconds < 1_000_000_000, "nanoseconds are a fraction of a second")
        self.unixSeconds = unixSeconds
        self.nanoseconds = nanoseconds
    }

    /// `0001-01-01T00:00:00Z`.
    public static var zero: Self { Self(unixSeconds: -62_135_596_800) }
    public var isZero: Bool { self == .zero }

    public static func < (left: Self, right: Self) -> Bool {
        (left.unixSeconds, left.nanoseconds) < (right.unixSeconds, right.nanoseconds)
    }

    /// Saturates at the ends of the representable range.
    public static func + (left: Self, right: Nanoseconds) -> Self {
        var seconds = left.unixSeconds.addingReportingOverflow(right.count / 1_000_000_000)
        var fraction = Int64(left.nanoseconds) + right.count % 1_000_000_000
        if seconds.overflow { return Self(unixSeconds: right.count < 0 ? .min : .max) }
        if fraction < 0 {
            fraction += 1_000_000_000
            seconds.partialValue -= 1
        } else if fraction >= 1_000_000_000 {
            fraction -= 1_000_000_000
            seconds.partialValue += 1
        }
        return Self(unixSeconds: seconds.partialValue, nanoseconds: UInt32(fraction))
    }

    /// The time from `right` to `left`, saturated at ±292 years.
    public static func - (left: Self, right: Self) -> Nanoseconds {
        let seconds = left.unixSeconds.subtractingReportingOverflow(right.unixSeconds)
        let scaled = seconds.partialValue.multipliedReportingOverflow(by: 1_000_000_000)
        let fraction = Int64(left.nanoseconds) - Int64(right.nanoseconds)
        let sum = scaled.partialValue.addingReportingOverflow(fraction)
        if seconds.overflow || scaled.overflow || sum.overflow {
            return Nanoseconds(count: left < right ? .min : .max)
        }
        return Nanoseconds(count: sum.partialValue)
    }
}

extension Timestamp: CustomStringConvertible {
    /// RFC 3339 in UTC, with as many fraction digits as are needed: `2026-11-23T19:55:18.25Z`.
    public var description: String {
        var days = unixSeconds / 86_400
        var second = unixSeconds % 86_400
        if second < 0 {
            second += 86_400
            days -= 1
        }
        let (year, month, day) = Self.civil(days: days)
        var text =
            "\(padded(year, 4))-\(padded(Int64(month), 2))-\(padded(Int64(day), 2))T"
            + "\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))"
        if nanoseconds > 0 {
            var digits = padded(Int64(nanoseconds), 9)
            while digits.hasSuffix("0") { digits.removeLast() }
            text += "." + digits
        }
        return text + "Z"
    }

    private func padded(_ value: Int64, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    /// Parses RFC 3339: `T` and `Z` in either case, any number of fraction digits (those past the
    /// ninth are cut), a numeric offset. Nil for anything else, for a day that does not exist, and
    /// for years beyond 9999.
    public init?(rfc3339 text: some StringProtocol) {
        var scanner = DigitScanner(bytes: Array(text.utf8))
        guard let year = scanner.number(digits: 4), scanner.skip("-"),
            let month = scanner.number(digits: 2), scanner.skip("-"),
            let day = scanner.number(digits: 2), scanner.skip("T", "t", " "),
            let hour = scanner.number(digits: 2), scanner.skip(":"),
            let minute = scanner.number(digits: 2), scanner.skip(":"),
            let second = scanner.number(digits: 2),
            (1...12).contains(month), day >= 1, hour < 24, minute < 60, second <= 60,
            day <= Self.daysInMonth(year: year, month: month)
        else { return nil }
        var fraction: UInt32 = 0
        if scanner.skip(".") {
            guard let value = scanner.fraction() else { return nil }
            fraction = value
        }
        var offset: Int64 = 0
        if !scanner.skip("Z", "z") {
            let sign: Int64
            if scanner.skip("+") {
                sign = 1
            } else if scanner.skip("-") {
                sign = -1
            } else {
                return nil
            }
            guard let hours = scanner.number(digits: 2), scanner.skip(":"),
                let minutes = scanner.number(digits: 2), hours < 24, minutes < 60
            else { return nil }
            offset = sign * Int64(hours * 3600 + minutes * 60)
        }
        guard scanner.isAtEnd else { return nil }
        let days = Self.days(year: year, month: month, day: day)
        self.init(
            unixSeconds: days * 86_400 + Int64(hour * 3600 + minute * 60 + second) - offset,
            nanoseconds: fraction)
    }

    private static func daysInMonth(year: Int, month: Int) -> Int {
        let isLeap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
        return switch month {
        case 2: isLeap ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since 1970-01-01 of a date in the proleptic Gregorian calendar.
    private static func days(year: Int, month: Int, day: Int) -> Int64 {
        // Years counted from March put the leap day at the end of the year.
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return Int64(era * 146_097 + dayOfEra - 719_468)
    }

    private static func civil(days: Int64) -> (year: Int64, month: Int, day: Int) {
        let shifted = days + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra =
            (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let month = (5 * dayOfYear + 2) / 153
        let day = Int(dayOfYear - (153 * month + 2) / 5 + 1)
        let civilMonth = Int(month < 10 ? month + 3 : month - 9)
        return (yearOfEra + era * 400 + (civilMonth <= 2 ? 1 : 0), civilMonth, day)
    }
}

private struct DigitScanner {
    var bytes: [UInt8]
    var position = 0

    var isAtEnd: Bool { position == bytes.count }

    mutating func number(digits: Int) -> Int? {
        guard bytes.count - position >= digits else { return nil }
        var value = 0
        for byte in bytes[position..<position + digits] {
            guard (0x30...0x39).contains(byte) else { return nil }
            value = value * 10 + Int(byte - 0x30)
        }
        position += digits
        return value
    }

    mutating func fraction() -> UInt32? {
        let start = position
        var value: UInt32 = 0
        var scale: UInt32 = 1_000_000_000
        while position < bytes.count, (0x30...0x39).contains(bytes[position]) {
            scale /= 10
            value += UInt32(bytes[position] - 0x30) * scale
            position += 1
        }
        return position > start ? value : nil
    }

    mutating func skip(_ characters: Unicode.Scalar...) -> Bool {
        guard position < bytes.count,
            characters.contains(where: { UInt8(ascii: $0) == bytes[position] })
        else { return false }
        position += 1
        return true
    }
}
