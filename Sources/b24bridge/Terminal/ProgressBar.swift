import Foundation

/// One line on standard error that shows how far long work has come. Where standard error is no terminal it stays silent.
///
/// No package that resolves here draws one.
struct ProgressBar {
    private let title: String
    private let total: Int?
    private let isShown: Bool
    private var lastDrawn: ContinuousClock.Instant?
    private static let width = 28

    /// - Parameter total: `nil` where the end is not known; the line then shows the words of each update only.
    init(_ title: String, total: Int?) {
        self.title = title
        self.total = total
        isShown = isatty(STDERR_FILENO) == 1
    }

    /// Draws at most ten times a second, so call it as often as you like.
    ///
    /// - Parameter words: What stands behind the bar, such as a rate; made only when it is drawn.
    mutating func update(_ done: Int, _ words: @autoclosure () -> String = "") {
        guard isShown else { return }
        let now = ContinuousClock.now
        if let lastDrawn, now - lastDrawn < .milliseconds(100) { return }
        lastDrawn = now
        // The cursor stands at the line's beginning, so that a log line writes over it and not behind it.
        writeToStandardError("\r\u{1B}[K" + Self.line(title, done, of: total, words()) + "\r")
    }

    /// Clears the line. What comes next on the terminal begins where it was.
    mutating func finish() {
        guard isShown, lastDrawn != nil else { return }
        lastDrawn = nil
        writeToStandardError("\r\u{1B}[K")
    }

    static func line(_ title: String, _ done: Int, of total: Int?, _ words: String) -> String {
        let tail = words.isEmpty ? "" : "  \(words)"
        guard let total else { return "\(title)\(tail)" }
        let share = total > 0 ? min(1, max(0, Double(done) / Double(total))) : 1
        let filled = Int(share * Double(width))
        let bar = String(repeating: "=", count: filled) + String(repeating: " ", count: width - filled)
        // Rounded down, so that 100 % means all.
        return "\(title) [\(bar)] \(Int(share * 100)) %\(tail)"
    }
}
