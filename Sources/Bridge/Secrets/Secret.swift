/// A text that no output shows.
package struct Secret: Sendable, Equatable, CustomStringConvertible, CustomDebugStringConvertible {
    /// For the one place that must have it.
    package let text: String

    package init(_ text: String) { self.text = text }

    package var isEmpty: Bool { text.isEmpty }
    package var description: String { "[redacted]" }
    package var debugDescription: String { description }
}
