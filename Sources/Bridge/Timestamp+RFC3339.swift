package import Bitrix24
internal import Foundation

extension Timestamp {
    /// Reads RFC 3339 in any zone, with or without milliseconds: `2026-11-20T03:15:00Z`, `2026-11-20T04:15:00.120+01:00`.
    ///
    /// `nil`: not that, or outside the years 0 to 9999.
    package init?(rfc3339 text: String) {
        for hasFraction in [false, true] {
            guard let date = try? Date.ISO8601FormatStyle(includingFractionalSeconds: hasFraction).parse(text) else {
                continue
            }
            let milliseconds = (date.timeIntervalSince1970 * 1000).rounded()
            guard milliseconds > -62_200_000_000_000, milliseconds < 253_402_300_800_000 else { return nil }
            self.init(milliseconds: Int64(milliseconds))
            return
        }
        return nil
    }

    /// In UTC, with milliseconds.
    package var rfc3339: String {
        var text: [UInt8] = []
        write(into: &text, withMilliseconds: true)
        return String(decoding: text, as: UTF8.self)
    }
}
