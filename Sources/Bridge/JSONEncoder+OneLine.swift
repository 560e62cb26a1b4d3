package import Foundation

extension JSONEncoder {
    /// Writes equal values as equal texts, without line feeds.
    package static var oneLine: JSONEncoder {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }
}
