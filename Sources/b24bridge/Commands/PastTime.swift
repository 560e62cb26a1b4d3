import Bitrix24
import Bridge
import Configuration

/// A time in the past, as people give it: an age such as `12h` or `7d`, or RFC 3339.
enum PastTime {
    /// `nil`: neither.
    static func read(_ text: String) -> Timestamp? {
        guard let age = try? Quantity.duration(text) else { return Timestamp(rfc3339: text) }
        return Timestamp(milliseconds: WallClock.now().milliseconds - Int64(age / .milliseconds(1)))
    }
}
